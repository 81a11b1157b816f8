"""Name the mistake in somebody's own LSTM gradients: docs/diagnose.md.

mistake, catalogue: what a mistake is, and all that are known, as changes of the twin's table. probes, outputs, asking:
the draws, what may be returned, and the calls. bench, search, ladder, spellings: what every candidate gives, and
which give somebody's numbers. comparison, formula_text, verdict, examine: what is said.
"""

from fastlstm.diagnosis.asking import NoAnswer
from fastlstm.diagnosis.examine import assert_gradients, diagnose
from fastlstm.diagnosis.verdict import Departure, Finding, Verdict

__all__ = ["Departure", "Finding", "NoAnswer", "Verdict", "assert_gradients", "diagnose"]
