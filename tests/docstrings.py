"""The examples in the docstrings of public names, run as they stand."""

import doctest
import inspect

import fastlstm


def run_example(name: str) -> None:
    """Raise AssertionError if the docstring has no example, or one that does not give what it says."""
    text = inspect.getdoc(getattr(fastlstm, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    told: list[str] = []
    results = doctest.DocTestRunner().run(example, out=told.append)
    assert results.attempted, f"fastlstm.{name} has no example"
    assert not results.failed, "".join(told)
