"""Everything that is compiled. It knows no table, spec or path. From the equations outwards:

lstm                        F, L, B, M and J of docs/derivation.md: the unit, its losses, adjoint and tangent
elementary, coefficients    sigmoid, tanh, exp, log, sin and cos, the normal quantile
scale, wide, widened        numbers with exponents: beside plain lanes, and as a kind of number of their own
random, inputs, drawing     the values, inputs and targets of a draw; a distribution or a process begins here
forward_pass, backward_pass, passes, truncated      the loops over time
groups/, gradient_rows      what is measured of a draw: one module for each group
modes                       the modes of gradients
suspicion                   which draws must be computed again, and in which arithmetic
options                     what a kernel is compiled for
simulate, arrays            the kernels that Python calls
tally                       one more: counts of values in bins
lanes/                      registers in LLVM, memory, compiling and its cache
"""
