"""The JSON Schema of a spec, for editors that check and complete TOML."""

from collections import defaultdict
from typing import Any

from pydantic.json_schema import CoreModeRef, CoreRef, DefsRef, GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from fastlstm.spec.document import Spec


class _JsonSchema(GenerateJsonSchema):
    """TOML has no null, a key needs no second name, and a grid is numbered where pydantic names it by all its type."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._numbers: dict[str, dict[str, int]] = defaultdict(dict)

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        full_name, mode = core_mode_ref
        generic, bracket, _ = full_name.partition("[")
        if bracket:
            name = generic.partition(":")[0].rpartition(".")[2]
            number = self._numbers[name].setdefault(full_name, len(self._numbers[name]) + 1)
            core_mode_ref = CoreRef(f"{name}{number}:"), mode
        return super().get_defs_ref(core_mode_ref)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}

    def encode_default(self, dft: Any) -> Any:
        value = super().encode_default(dft)
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec."""
    schema = Spec.model_json_schema(schema_generator=_JsonSchema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
