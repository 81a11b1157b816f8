"""What a kernel is compiled for: the loss, and what follows the passes, a measure group or a mode of gradients.

All of it is in the type of one value, `Options`: what is not asked for is not compiled.
"""

from collections import namedtuple
from functools import cache
from importlib import import_module

from fastlstm import measures
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import Fixed, store_column
from fastlstm.kernel.lstm import LOSSES

# The code of the loss, and a Fixed named tuple of functions for each hook of groups/__init__.py
Options = namedtuple("Options", "loss start add start_back add_back")
# Where plain numbers may have lost something, and what writes the columns of a Done: functions
Ending = namedtuple("Ending", "suspect store")


def options(loss, followers):
    """The options of a loss and of followers by name: modules, or anything that has hooks as attributes."""
    return Options(LOSSES[loss], *(Fixed(_hooks(hook, followers)) for hook in Options._fields[1:]))


def _hooks(hook, followers):
    """The functions of one name, in a tuple with the names of the followers that have one."""
    functions = {name: getattr(follower, hook) for name, follower in followers.items() if hasattr(follower, hook)}
    return namedtuple("Tallies", functions)(**functions)


@cache
def group_modules(groups):
    """The modules of the groups, and of those that they need, by name."""
    modules = {}
    for name in measures.GROUPS:
        module = import_module(f"fastlstm.kernel.groups.{name}")
        needed = [other for other in measures.GROUPS if name in groups for other in getattr(module, "NEEDS", ())]
        modules |= {name: module} if name in groups else {}
        modules |= {other: import_module(f"fastlstm.kernel.groups.{other}") for other in needed}
    return modules


def any_suspect(functions):
    """A function of a Done: where any of these functions of it says so."""
    if len(functions) == 1:
        return functions[0]
    first, others = functions[0], any_suspect(functions[1:])

    @inline
    def either(done):
        return first(done) | others(done)

    return either


def store_columns(names, fields):
    """The functions that write the columns of some groups; fields: the names of the arrays in Columns."""
    modules = group_modules(names)
    writers = {n: _writer(modules[n], fields.index(n)) for n in names if hasattr(modules[n], "columns")}
    return Fixed(namedtuple("Writers", writers)(**writers))


def _writer(group, place):
    columns = group.columns

    @inline
    def store_group(done, out):
        store_column(out.columns[place], out.start, columns(done))

    return store_group
