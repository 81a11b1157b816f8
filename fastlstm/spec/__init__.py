"""The spec of a simulation: read from TOML, checked whole, expanded to points, and known by its content."""

from fastlstm.spec.document import Point, Spec, json_schema, load
from fastlstm.spec.problems import Problem, SpecError

__all__ = ["Point", "Problem", "Spec", "SpecError", "json_schema", "load"]
