"""The unit on arrays: the trace of the forward pass, and the gradients of a loss."""

from fastlstm.unit.gradients import gradients
from fastlstm.unit.results import Gradients, NoSuchGradient, StepGradients
from fastlstm.unit.trace import Trace, forward

__all__ = ["Gradients", "NoSuchGradient", "StepGradients", "Trace", "forward", "gradients"]
