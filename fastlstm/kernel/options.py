"""What a kernel is compiled for: what follows the passes, measure groups or a mode of gradients.

All of it is in the type of one value, `Options`: what is not asked for is not compiled.
"""

from collections import namedtuple
from importlib import import_module

from fastlstm import measures
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import Fixed, store_column

# For each of these hooks of groups/__init__.py, the functions of all followers that have it
Options = namedtuple("Options", "start add start_back add_back")


def options(followers):
    """The options of followers by name: modules, or anything that has hooks as attributes."""
    return Options(*(Fixed(hooks(name, followers)) for name in Options._fields))


def hooks(name, followers):
    """The functions of one name, in a tuple with the names of the followers that have one."""
    functions = {title: getattr(follower, name) for title, follower in followers.items() if hasattr(follower, name)}
    return namedtuple("Hooks", functions)(**functions)


def group_modules(groups):
    """The modules of the groups, and of those whose tallies they read, by name in the order of measures.GROUPS."""
    modules = {name: import_module(f"fastlstm.kernel.groups.{name}") for name in measures.GROUPS}
    needed = {other for name in groups for other in getattr(modules[name], "NEEDS", ())}
    return {name: module for name, module in modules.items() if name in {*groups, *needed}}


def column_writers(groups, fields):
    """Functions of (done, out) that write the columns of some groups; fields: the names of out.columns."""
    columns = hooks("columns", {name: module for name, module in group_modules(groups).items() if name in groups})
    return Fixed(
        columns._make(_writer(columns_of, fields.index(name)) for name, columns_of in columns._asdict().items())
    )


def _writer(columns_of, place):
    @inline
    def write(done, out):
        store_column(out.columns[place], out.start, columns_of(done))

    return write
