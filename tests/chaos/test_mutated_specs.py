"""Whatever a spec is turned into: a message, or a valid spec; never a traceback, never a hang."""

import random
import re
import signal
import string
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import Verdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import Fault
from small_run import SPEC

import fastlstm
from fastlstm import store

pytestmark = pytest.mark.chaos

ROOT = Path(__file__).parents[2]
MUTATIONS, FEW_MUTATIONS = 10_000, 200
COMMANDS, FEW_COMMANDS = 100, 3
SECONDS = 30  # for one spec, far beyond what any takes

BAD_SPEC = 2


def valid_texts():
    pages = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "spec.md").read_text(encoding="utf-8"), re.DOTALL)
    sims = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "sims").glob("*.toml"))]
    return [SPEC, *sims, *(page for page in pages if "draws" in page and "[params]" in page)]


VALUES = [
    "0", "-1", "1e308", "-1e308", "5e-324", "nan", "inf", "-inf", "9223372036854775807", "1e999", "true", '""',
    '"\\u0000"', '"normal"', "[]", "[[]]", "{}", "[0.5, 0.5]", "2026-11-22", "{ grid = [] }", "{ grid = [1, 2] }",
    "{ grid = [{ grid = [1] }] }", "{ normal = { mean = 0, std = -1 } }",
    "{ constant = 3 }", '{ tied = { to = "b_f" } }',
    "{ uniform = { low = 1, high = 1 } }", "{ choice = { values = [] } }", "{ chrono = { t_max = 1 } }",
    "1_000_000_000_000", '"' + "x" * 5000 + '"', "[" * 300 + "]" * 300,
]  # fmt: skip
WORDS = ["draws", "steps", "seed", "grid", "normal", "b_f", "input", "loss", "process", "target", "store", "rows"]


def mutated(text, random_choices):
    """A text with one to three changes: to values, keys, lines, characters or bytes."""
    for _ in range(random_choices.randint(1, 3)):
        text = random_choices.choice(CHANGES)(text, random_choices)
    return text


def change_value(text, choices):
    actual = list(re.finditer(r"= *([^\n]+)", text)) + list(re.finditer(r"[-+]?\d[\d._e]*", text))
    if not actual:
        return text
    match = choices.choice(actual)
    start, end = match.span(match.lastindex or 0)
    return text[:start] + choices.choice(VALUES) + text[end:]


def change_word(text, choices):
    actual = list(re.finditer(r"[A-Za-z_]+", text))
    if not actual:
        return text
    start, end = choices.choice(actual).span()
    return text[:start] + choices.choice([*WORDS, "", text[start : end - 1], text[start:end] * 2]) + text[end:]


def change_line(text, choices):
    lines = text.splitlines(keepends=True) or ["\n"]
    number = choices.randrange(len(lines))
    other = choices.choice(lines)
    lines[number : number + 1] = choices.choice([[], [lines[number]] * 2, [other, lines[number]], ["[[params]]\n"]])
    return "".join(lines)


def change_character(text, choices):
    place = choices.randrange(len(text) + 1)
    new = choices.choice([*string.printable, "\0", "\ufeff", "é", "\u202e", "\U0001f9ea"])
    return text[:place] + new + text[place + choices.randint(0, 1) :]


def cut(text, choices):
    return text[: choices.randrange(len(text) + 1)]


CHANGES = [change_value, change_value, change_value, change_word, change_line, change_character, cut]


@contextmanager
def within(seconds):
    def too_long(number, frame):
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def load_or_refuse(path):
    """Raises whatever is neither a valid spec nor a SpecError with a message."""
    with within(SECONDS):
        try:
            spec = fastlstm.load(path)
        except fastlstm.SpecError as error:
            if not str(error).strip():
                raise ValueError("a SpecError without a message") from error
        else:
            assert len(spec.points()) >= 1


def write_mutated(folder, text, choices):
    content = text.encode("utf-8", "surrogatepass")
    if choices.random() < 0.05 and content:
        place = choices.randrange(len(content))
        content = content[:place] + bytes([choices.randrange(256)]) + content[place + 1 :]
    path = folder / "mutated.toml"
    path.write_bytes(content)
    return path


def enter_load(ledger, path, told):
    try:
        load_or_refuse(path)
    except Exception as error:  # noqa: BLE001 that is what is looked for
        ledger.enter(Fault.MUTATED, Verdict(survived=False), told=(told, repr(error)))
    ledger.enter(Fault.MUTATED, Verdict(survived=True))


def test_mutations_of_valid_specs(tmp_path, ledger, all_faults):
    texts = valid_texts()
    assert len(texts) > 5
    (tmp_path / "data").symlink_to(ROOT / "sims" / "data")
    choices = random.Random(10_000)
    for number in range(MUTATIONS if all_faults else FEW_MUTATIONS):
        text = mutated(choices.choice(texts), choices)
        enter_load(ledger, write_mutated(tmp_path, text, choices), told=(number, text))


KEYS = st.sampled_from([*WORDS, "default", "dtype", "state", "measure", "params", "h", "kind"])
KEYS |= st.text("ab_", max_size=3)
SCALARS = st.integers().map(str) | st.floats().map(repr) | st.sampled_from(VALUES)
MADE_VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f'"{key}" = {value}' for key, value in table.items()) + "}"
        )
    ),
    max_leaves=6,
)
LINES = st.tuples(KEYS, MADE_VALUES).map(lambda pair: f'"{pair[0]}" = {pair[1]}\n')
HEADS = KEYS.map(lambda key: f"['{key}']\n")
MADE_TEXTS = st.lists(LINES | HEADS | st.text(max_size=5), max_size=8).map("".join)


def test_specs_made_by_hypothesis(tmp_path, ledger, all_faults):
    @settings(
        max_examples=1000 if all_faults else 30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(MADE_TEXTS, st.booleans())
    def try_one(text, after_a_valid_one):
        path = tmp_path / "made.toml"
        path.write_bytes(((SPEC if after_a_valid_one else "") + text).encode("utf-8", "surrogatepass"))
        enter_load(ledger, path, told=text)

    try_one()


def commands(folder, wanted):
    """Mutated specs for the command line: wrong ones, and small ones that need no kernel but the usual one."""
    choices = random.Random(200)
    texts = [SPEC] * 6 + valid_texts()
    while wanted:
        text = mutated(choices.choice(texts), choices)
        path = write_mutated(folder, text, choices)
        try:
            spec = fastlstm.load(path)
        except fastlstm.SpecError:
            spec = None
        if spec is None or needs_the_usual_kernel(spec):
            wanted -= 1
            yield text, path, spec


def needs_the_usual_kernel(spec):
    point = spec.points()[0]
    return (
        len(spec.points()) <= 20
        and max(point.steps for point in spec.points()) <= 200
        and spec.draws <= 5000
        and (spec.dtype, spec.store.dtype) == ("float64", "float32")
        and (point.input.process, point.loss.kind) == ("normal", "sum")
        and set(spec.measure.groups) == {"norms", "gates", "carousel"}
    )


def test_mutations_on_the_command_line(bench, ledger, all_faults):
    """Exit 2 with a message, or a whole run; and a plan beforehand that agrees."""
    (bench.folder / "data").symlink_to(ROOT / "sims" / "data")
    seen = set()
    for number, (text, path, spec) in enumerate(commands(bench.folder, COMMANDS if all_faults else FEW_COMMANDS)):
        run = bench.folder / f"mutated-{number}"
        # extreme weights need the kernel of wide numbers, which may have to be compiled, and that is said
        plan, ended = (bench.fork("run", path, "--out", run, *more, timeout=600) for more in (["--dry-run"], []))
        for each in (plan, ended):
            survived = each.code == (BAD_SPEC if spec is None else 0)
            complaints = [line for line in each.stderr.splitlines() if not line.startswith("compiling")]
            survived = survived and "Traceback" not in each.stderr and bool(complaints) == (spec is None)
            if survived and each is ended and spec is not None:
                survived = store.verify(run) == []
            ledger.enter(Fault.MUTATED_COMMAND, Verdict(survived=survived), told=(number, text, each))
        assert run.exists() == (spec is not None)
        seen.add(ended.code)
    assert seen == {0, BAD_SPEC}
