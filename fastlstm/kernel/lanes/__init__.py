"""Registers of draws in LLVM: SIMD operations, memory, transposes, compiling and its cache. Knows no LSTM."""
