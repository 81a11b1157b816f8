"""The mistakes that diagnose knows, each declared once: docs/diagnose.md lists them."""

from fastlstm.diagnosis.catalogue import adjoint, forward, sums
from fastlstm.diagnosis.mistake import Mistake

CATALOGUE: dict[str, Mistake] = {
    mistake.id: mistake for mistake in (*forward.MISTAKES, *adjoint.MISTAKES, *sums.MISTAKES)
}
