"""Count how often diagnose names what was put in: python benchmarks/diagnosis.py

Every mistake alone (float64, float32, differences), 200 pairs, 50 sets of four, and 40 mistakes that are held out, in
functions of plain Python. Minutes.
"""

import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from diagnosis_samples import claims_falsely, is_named, lines_of, random_sets
from hand_written import by_differences, written_by_hand

from fastlstm.diagnosis import diagnose
from fastlstm.diagnosis.catalogue import CATALOGUE


def count(title: str, size: int, total: int) -> None:
    """Random sets of one size."""
    tally: Counter[str] = Counter()
    seconds = []
    for ids in islice(random_sets(size, seed=size), total):
        start = time.process_time()
        verdict = diagnose(written_by_hand(lines_of(ids) or {}))
        seconds.append(time.process_time() - start)
        result = "named" if is_named(verdict, ids) else "a set with the same numbers" if verdict.mistakes else "nothing"
        result = "a false name" if claims_falsely(verdict, ids) else result
        tally[result] += 1
        if result != "named":
            print("   ", *ids, "->", *(finding.id for finding in verdict.mistakes), flush=True)
    print(f"{title}: {dict(tally)}; {np.median(seconds):.2f} s in the median, {max(seconds):.1f} s at most", flush=True)


def singles() -> None:
    """Every mistake alone, in three kinds of arithmetic."""
    for title, number in (("float64", float), ("float32", np.float32)):
        tally: Counter[str] = Counter()
        for id in CATALOGUE:
            verdict = diagnose(written_by_hand(lines_of([id]) or {}, number))
            alone = len(verdict.equals) == 0 and is_named(verdict, (id,))
            result = "named" if alone else "one of an equal set" if is_named(verdict, (id,)) else "not shown"
            tally[result if verdict.mistakes or verdict.right else "nothing"] += 1
            if result == "not shown":
                print("   ", id, "right" if verdict.right else [finding.id for finding in verdict.mistakes], flush=True)
        print(f"singles, {title}: {dict(tally)}", flush=True)
    ahead = [id for id, mistake in CATALOGUE.items() if mistake.is_forward and id != "F2.clip"]
    for step in (1e-3, 1e-5):
        named = sum(is_named(diagnose(by_differences(lines_of([id]) or {}, step)), (id,)) for id in ahead)
        print(f"forward mistakes by differences of {step:g}: {named} of {len(ahead)} named", flush=True)


def held_out(total: int) -> None:
    """Mistakes that diagnose is told to forget, with those that have the same numbers."""
    tally: Counter[str] = Counter()
    for (id,) in islice(random_sets(1, seed=9), total):
        whole = diagnose(written_by_hand(lines_of([id]) or {}))
        forgotten = {id, *(finding.id for equal in whole.equals for finding in equal)}
        verdict = diagnose(written_by_hand(lines_of([id]) or {}), leave_out=tuple(forgotten))
        stated = "a set with the same numbers" if verdict.mistakes else "nothing"
        tally["a false name" if claims_falsely(verdict, (id,)) else stated] += 1
        if verdict.mistakes:
            print("   ", id, "->", *(finding.id for finding in verdict.mistakes), flush=True)
    print(f"held out: {dict(tally)}", flush=True)


if __name__ == "__main__":
    singles()
    count("pairs", 2, 200)
    count("fours", 4, 50)
    held_out(40)
