"""The run directory: a run that cannot lose or repeat a draw.

A run is committed part by part. A part is a contiguous range of the draws of one point, and up to two files:
its rows and its counts. Their bytes are made in memory and hashed before they meet the disk; they are written
under temporary names that no reader's glob matches, synced, renamed, the folders synced; then one line is
added to the journal, and synced. So a part is either in the journal and whole, or it does not exist. pyarrow
is never given a path to write to, since it unlinks its target when a write fails.

    _spec.toml                               the normalised spec, as run
    _run.json                                spec hash, layout, and each session's provenance, start and end
    _journal.jsonl                           one line for each committed part and each table
    _journal-3-of-16.jsonl                   the same by shard 3 of 16; the next unsharded run takes it in
    _lock, _lock-3-of-16, _lock-run          flocks, given back by the kernel when a process ends
    points.parquet, regimes.parquet, ...     tables
    draws/point=0003/part-00000007.parquet   the rows of a part, where rows are kept
    counts/point=0003/part-00000007.parquet  the mergeable counts of the same part

Who holds what: an unsharded run, and `verify`, hold `_lock` alone; a shard shares `_lock` with other shards
and holds its own lock alone. `_lock-run` is held for moments, while `_run.json` is read and rewritten.

No decision is taken from a clock or a file time.
"""

import lazy_loader

# The names stand in `__init__.pyi`; whoever asks for the status of a run alone imports no tables.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
