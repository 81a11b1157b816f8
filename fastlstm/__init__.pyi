# The public names, for type checkers, and for `__init__.py`, which imports each when it is first used.

from .audit.replay import Replay as Replay
from .audit.replay import replay as replay
from .audit.verify import verify as verify
from .diagnosis import assert_gradients as assert_gradients
from .diagnosis import diagnose as diagnose
from .interop import from_keras as from_keras
from .interop import from_torch as from_torch
from .interop import to_torch as to_torch
from .names import PARAMETERS as PARAMETERS
from .runs import Run as Run
from .runs import read as read
from .spec import SpecError as SpecError
from .spec import load as load
from .sweep.merge import merge as merge
from .sweep.provenance import show_versions as show_versions
from .sweep.session import run as run
from .sweep.session import simulate as simulate
from .unit import Gradients as Gradients
from .unit import StepGradients as StepGradients
from .unit import Trace as Trace
from .unit import forward as forward
from .unit import gradients as gradients

__version__: str
