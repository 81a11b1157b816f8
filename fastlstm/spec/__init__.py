"""The spec of a simulation: read from TOML, checked whole, expanded to points, and identified by its content."""

from fastlstm.spec.document import Spec
from fastlstm.spec.loading import load, rebuild
from fastlstm.spec.points import Point
from fastlstm.spec.problems import Problem, SpecError
from fastlstm.spec.schema import json_schema
from fastlstm.spec.series import Recorded

__all__ = ["Point", "Problem", "Recorded", "Spec", "SpecError", "json_schema", "load", "rebuild"]
