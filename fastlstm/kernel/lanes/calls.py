"""Calls of a kernel by another one, by address: each is compiled by itself, and once.

What is called by its name is compiled into each kernel that calls it. Here the caller leaves the arguments in its own
frame, once, and hands on where they are: nothing of them passes through registers or the stack at each call.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def in_frame(typingctx, value):
    """The address of a copy of a value in the frame of the calling kernel."""

    def codegen(context, builder, signature, arguments):
        with builder.goto_entry_block():
            slot = builder.alloca(context.get_value_type(value))
        builder.store(arguments[0], slot)
        return builder.ptrtoint(slot, ir.IntType(64))

    return types.int64(value), codegen


def reader(kind):
    """What reads a value of this type from where `in_frame` has left it; the two kernels must agree on the type."""

    @intrinsic
    def read(typingctx, address):
        def codegen(context, builder, signature, arguments):
            return builder.load(builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer()))

        return kind(types.int64), codegen

    return read


@intrinsic
def call(typingctx, kernel, arguments, number):
    """Call the kernel at an address with the address of its arguments, and a number."""
    kinds = (types.int64, types.int64)

    def codegen(context, builder, signature, values):
        convention = context.call_conv
        pointer = builder.inttoptr(values[0], convention.get_function_type(types.none, kinds).as_pointer())
        convention.call_function(builder, pointer, types.none, kinds, values[1:])
        return context.get_dummy_value()

    return types.none(types.int64, *kinds), codegen
