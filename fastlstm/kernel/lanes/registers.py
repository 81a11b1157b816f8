"""Named tuples of registers: made, computed with, loaded and stored as one.

`Fixed` holds functions, or anything else, that is chosen when a kernel is built: it is part of the type of what it
is handed on with, so a kernel is compiled for the chosen functions and for no others.
"""

from numba.core import types
from numba.core.imputils import lower_constant
from numba.extending import intrinsic, models, register_model, typeof_impl

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load, store


class Fixed:
    """A value that a kernel is compiled for."""

    def __init__(self, value):
        self.value = value


class FixedType(types.Type):
    """The Numba type of one `Fixed`, and of no other."""

    def __init__(self, fixed):
        self.fixed = fixed
        super().__init__(name=f"Fixed({id(fixed)})")  # which lives as long as its type

    @property
    def value(self):
        return self.fixed.value


register_model(FixedType)(models.OpaqueModel)


@typeof_impl.register(Fixed)
def _type_of_fixed(fixed, context):
    return FixedType(fixed)


@lower_constant(FixedType)
def _lower_fixed(context, builder, fixed, value):
    return context.get_dummy_value()


def _tuple_of(members, like):
    """The type of a tuple of these types, with the names that `like` has, if any."""
    return types.BaseTuple.from_types(tuple(members), getattr(like, "instance_class", None))


@intrinsic
def filled(typingctx, names, value):
    """A named tuple, given by its class, with one value in all places."""
    if not isinstance(names, types.NamedTupleClass):
        return None
    result = _tuple_of([value] * len(names.instance_class._fields), names)

    def codegen(context, builder, signature, arguments):
        return context.make_tuple(builder, result, [arguments[1]] * len(result))

    return result(names, value), codegen


@intrinsic
def mapped(typingctx, functions, tuples, fixed):
    """function(a, b, ..., *fixed) of the members a, b, ... that the tuples have in one place, for all places.

    `functions` is one function for all places, or a `Fixed` named tuple with one for each. The result has the names of
    the first tuple or, where there are no tuples, of the functions.
    """
    if isinstance(functions, FixedType):
        chosen = [typingctx.resolve_value_type(function) for function in functions.value]
        names = type(functions.value)
    else:
        chosen, names = [functions] * len(tuples[0]), None
    operands = [(*(each[place] for each in tuples), *fixed) for place in range(len(chosen))]
    calls = [function.get_call_type(typingctx, kinds, {}) for function, kinds in zip(chosen, operands, strict=True)]
    names = getattr(tuples[0], "instance_class", None) if len(tuples) else names
    result = types.BaseTuple.from_types(tuple(call.return_type for call in calls), names)

    def codegen(context, builder, signature, arguments):
        _, columns, rest = arguments
        constant = [builder.extract_value(rest, k) for k in range(len(fixed))]
        values = []
        for place, (function, kinds, call) in enumerate(zip(chosen, operands, calls, strict=True)):
            members = [builder.extract_value(builder.extract_value(columns, k), place) for k in range(len(tuples))]
            operand_values = zip((*members, *constant), kinds, call.args, strict=True)
            cast = [context.cast(builder, value, kind, wanted) for value, kind, wanted in operand_values]
            values.append(context.get_function(function, call)(builder, cast))
        return context.make_tuple(builder, result, values)

    return result(functions, tuples, fixed), codegen


@intrinsic
def places(typingctx, names):
    """The numbers 0, 1, 2, ... as a tuple with the names of a tuple, or of a class of named tuples."""
    is_class = isinstance(names, types.NamedTupleClass)
    count = len(names.instance_class._fields) if is_class else len(names)
    result = _tuple_of([types.intp] * count, names)

    def codegen(context, builder, signature, arguments):
        return context.make_tuple(builder, result, [context.get_constant(types.intp, k) for k in range(count)])

    return result(names), codegen


@inline
def _load_place(place, array, index):
    return load(array, (*index, place))


@inline
def load_registers(names, array, index):
    """A named tuple, given by its class, whose register k begins at array[*index, k]."""
    return mapped(_load_place, (places(names),), (array, index))


@inline
def _store_place(register, place, array, index):
    store(array, (*index, place), register)


@inline
def store_registers(array, index, registers):
    """Write register k of a tuple to the place that begins at array[*index, k]."""
    mapped(_store_place, (registers, places(registers)), (array, index))


@inline
def _store_row(register, row, array, column):
    store(array, (row, column), register)


@inline
def store_column(array, column, registers):
    """Write register k of a tuple to the place that begins at array[k, column]."""
    mapped(_store_row, (registers, places(registers)), (array, column))
