"""The version of the bits that the kernel computes, which runs record, and the hashes that hold the kernel to it.

Whoever changes the kernel so that a bit of any result changes raises BITS_VERSION by one, puts the hashes that `make
identity` prints here, makes docs/bit-identity.md anew from its output, and says in the commit why the bits changed.
The hashes are of the contents of the runs in benchmarks/bit_identity.py, the same on every processor with fma.
"""

BITS_VERSION = 3
HASHES = {
    "float64": "b5bcad131227b38859c345c1f0064279d7169947dcd6b3ec620032d73bd4a555",
    "float64, tie": "56fba2ceefd5db3eb1ae46b0984bb4f26edc119dde7c32935372ea7d84d59ba6",
    "float32": "58fc8c5f6af61554c8462f04be8e9f495eec12610ba6b5a26ab4d72fe149103f",
}
# Of the outputs of the elementary functions in float32, for one input in 4,099: benchmarks/float32_sweep.py
SAMPLED_FUNCTIONS = {
    "exp": "2af4fbc18866c51a30d0be4eb1d53df887ac11e9777f9fe1dff5268ae2c1b3cb",
    "log": "26142e546d7277ac18717c60819ddc43485fd7b4c1f005503820dc9945a18f15",
    "sigmoid": "0bfcd42de506425b4271c624212882fb453c68516f48191f46b0eb1849a62743",
    "1 - sigmoid": "63a68d5bf0e9fc5aea5e0ee9d053b1d3008fee9dd27e80c9666508a19c52a8fd",
    "sigmoid, slope": "785e4ba7626676a4ff6556df55b58eb16f0061f23503874d44dcbe6787ff6353",
    "tanh": "27ef3bb5c4b7511f78df713166904bf39de4be6d91091c1099b0d9e0057e6d69",
    "tanh, slope": "7dee6eeb3f448940611c7bfe0698e5f100068a43f9b3d597904779d0a02c25ee",
}
