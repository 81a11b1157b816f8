"""Registers to and from memory: contiguous lanes, and lanes gathered one by one."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastlstm.kernel.lanes.convert import converted
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import REGISTER, Vec, llvm_type


@intrinsic
def uncounted(typingctx, counted):
    """An array, or a tuple of arrays and other things, that Numba does not count references to.

    A kernel takes its arguments through this, once: they outlive it. Counting is an atomic operation at calls
    and wherever an array leaves a tuple; it cost 4 ns for each random value, before threads share arrays.
    """

    def without_owner(context, builder, kind, value):
        if isinstance(kind, types.BaseTuple):
            for place, inner in enumerate(kind):
                part = without_owner(context, builder, inner, builder.extract_value(value, place))
                value = builder.insert_value(value, part, place)
        elif isinstance(kind, types.Array):
            view = context.make_array(kind)(context, builder, value)
            view.meminfo = cgutils.get_null_value(view.meminfo.type)
            value = view._getvalue()
        return value

    def codegen(context, builder, signature, arguments):
        return without_owner(context, builder, counted, arguments[0])

    return counted(counted), codegen


@intrinsic
def align_stack(typingctx):
    """Let the stack frame of the calling kernel begin on a cache line.

    LLVM learns too late that registers will be kept there to align it for them, and most then straddle two
    cache lines. A variable that must be aligned, used by an empty piece of assembly, tells it in time.
    A simulation took 12.7 to 15.4 ns a step without this and 10.3 with it (float32), 24.3 and 21.0 (float64).
    """

    def codegen(context, builder, signature, arguments):
        with builder.goto_entry_block():
            slot = builder.alloca(ir.IntType(64))
        slot.align = 64
        builder.asm(ir.FunctionType(ir.VoidType(), [slot.type]), "", "r,~{memory}", [slot], side_effect=True)
        return context.get_dummy_value()

    return types.none(), codegen


def _address(context, builder, array, array_value, index, index_value):
    """The address of array[index, 0, ...]; the last axis is contiguous."""
    view = context.make_array(array)(context, builder, array_value)
    strides = cgutils.unpack_tuple(builder, view.strides, array.ndim)
    numbers = cgutils.unpack_tuple(builder, index_value, len(index))
    offset = context.get_constant(types.intp, 0)
    for number, kind, stride in zip(numbers, index, strides, strict=False):
        offset = builder.add(offset, builder.mul(context.cast(builder, number, kind, types.intp), stride))
    return cgutils.pointer_add(builder, view.data, offset)


def _register_of(array):
    return Vec(array.dtype, 8 * REGISTER // array.dtype.bitwidth)


@intrinsic
def load(typingctx, array, index):
    """The register that begins at array[index]; index is a tuple and may leave out the last axis."""
    if not isinstance(array, types.Array):
        return None
    vec = _register_of(array)

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[0], index, arguments[1])
        pointer = builder.bitcast(address, llvm_type(vec).as_pointer())
        loaded = builder.load(pointer)
        loaded.align = vec.dtype.bitwidth // 8
        return loaded

    return vec(array, index), codegen


@intrinsic
def load_lanes(typingctx, array, index, lanes):
    """The register of so many lanes (a literal) that begins at array[index]."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    vec = Vec(array.dtype, lanes.literal_value)

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[0], index, arguments[1])
        loaded = builder.load(builder.bitcast(address, llvm_type(vec).as_pointer()))
        loaded.align = vec.dtype.bitwidth // 8
        return loaded

    return vec(array, index, lanes), codegen


@intrinsic
def store(typingctx, array, index, v):
    """Write a register to the place that begins at array[index], in the array's scalar type."""
    if not isinstance(v, Vec) or not isinstance(array, types.Array):
        return None
    target = Vec(array.dtype, v.lanes)

    def codegen(context, builder, signature, arguments):
        address = _address(context, builder, array, arguments[0], index, arguments[1])
        pointer = builder.bitcast(address, llvm_type(target).as_pointer())
        stored = builder.store(converted(builder, arguments[2], v, target), pointer)
        stored.align = target.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(array, index, v), codegen


@intrinsic
def _ask(typingctx, array, offset, to_write):
    """Ask for the cache line so many bytes after the beginning of an array, wherever that is: it never faults."""
    if not isinstance(to_write, types.IntegerLiteral):
        return None

    def codegen(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        place = builder.gep(builder.bitcast(view.data, byte), [context.cast(builder, arguments[1], offset, types.intp)])
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(to_write.literal_value), number(2), number(1)])  # into the second cache
        return context.get_dummy_value()

    return types.none(array, offset, to_write), codegen


@inline
def ask_for_part(array, start, part, to_write):
    """Ask for the lines of a register of draws that lie side by side: one of as many parts as a draw has elements."""
    if array.strides[0] == array.shape[1] * array.itemsize:
        first = start * array.strides[0] + part * REGISTER
        for line in range(0, REGISTER, 64):
            _ask(array, first + line, to_write)


@intrinsic
def gather(typingctx, array, places, shift):
    """array[k + shift] for each k of an integer register; the array has one contiguous axis. Not checked.

    The shift is apart so that a loop over it takes the places out of their register only once.
    """
    if not (isinstance(array, types.Array) and isinstance(places, Vec) and isinstance(shift, types.Integer)):
        return None
    result = Vec(array.dtype, places.lanes)

    def codegen(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        data = builder.gep(view.data, [context.cast(builder, arguments[2], shift, types.intp)])
        gathered = ir.Constant(llvm_type(result), ir.Undefined)
        for lane in range(places.lanes):
            number = ir.IntType(32)(lane)
            place = builder.extract_element(arguments[1], number)
            gathered = builder.insert_element(gathered, builder.load(builder.gep(data, [place])), number)
        return gathered

    return result(array, places, shift), codegen
