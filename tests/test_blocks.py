"""Memory of columns is used again, and never while something refers to it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa

from fastlstm.sweep.blocks import Blocks


def address(array):
    return array.__array_interface__["data"][0]


def test_a_block_is_lent_again_once_the_last_view_of_it_is_gone():
    blocks = Blocks()
    other = blocks.lend(100)
    first = blocks.lend(4096)
    place, view = address(first), first[64:128].view(np.float32).reshape(2, 8)
    del first
    assert address(blocks.lend(4096)) != place
    del view
    assert address(blocks.lend(4096)) == place
    assert len(other) == 100


def test_a_block_is_not_lent_while_an_arrow_table_holds_its_numbers():
    blocks = Blocks()
    other = blocks.lend(4096)
    column = blocks.lend(4096).view(np.float32)
    column[:] = np.arange(1024)
    table = pa.table({"x": column})
    del column
    for _ in range(3):
        blocks.lend(4096)[:] = 255
    assert table["x"].to_pylist() == list(range(1024))
    assert len(other) == 4096


def test_blocks_begin_on_a_cache_line_and_have_the_size_that_is_asked_for():
    blocks = Blocks()
    lent = [blocks.lend(size) for size in (1, 64, 1000, 4096, 1000)]
    assert [len(block) for block in lent] == [1, 64, 1000, 4096, 1000]
    assert {address(block) % 64 for block in lent} == {0}
    del lent[1:]
    assert len(blocks.lend(5000)) == 5000


def test_all_memory_is_let_go_when_none_is_in_use():
    blocks = Blocks()
    lent = [blocks.lend(1000) for _ in range(3)]
    del lent[1:]
    assert len(blocks._free) == 2
    lent.clear()
    assert not blocks._free
    assert not blocks._in_use


def test_memory_that_is_still_in_use_at_exit_is_no_error():
    program = "import builtins; from fastlstm.sweep.blocks import Blocks; builtins.kept = Blocks().lend(1000)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
