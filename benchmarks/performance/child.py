"""What a process of its own is asked to do and tells: python -m benchmarks.performance.child TASK SPEC OUT

It prints a line of JSON: when the first draws were done, how long the run took, and the most memory it had.
"""

import json
import resource
import sys
import time
from pathlib import Path


def peak_bytes() -> int:
    """Of this process alone: what getrusage tells includes the parent's memory at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main(spec: str, out: str) -> None:
    """What `fastlstm run` does, its imports included, with a look at the clock."""
    import fastlstm.cli

    first = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal first
        if done and not first:
            first = time.time()

    start = time.perf_counter()
    fastlstm.run(spec, out, progress=progress)
    spent = time.perf_counter() - start
    print(json.dumps({"first": first, "run": spent, "peak": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
