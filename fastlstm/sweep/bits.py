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
# Of the outputs of the elementary functions in float32, by how many bit patterns apart their inputs are: all of them,
# and those that the tests take (benchmarks/float32_sweep.py)
FUNCTION_HASHES = {
    1: {
        "exp": "3d985cf27fe5ba1e4ba6327c51a896bedba9dffe211103c4ed9be3d59a413b4a",
        "log": "4e8f77fc8712a8339e883066dea6e12c22c3fd517644b4b5ef9f2bf9ed09d2c4",
        "sigmoid": "e0840f296020e2b841b3570b020382c313c746be9fc13bfc59652af9d7fe8edd",
        "1 - sigmoid": "e8d6afa694d2b85e35ba174e6fcd6376103c43f9bc291aa77a896a72eed0696b",
        "sigmoid, slope": "5997d7a517e7000db9963c54cce66176b6af74823ab5a401f833860c53d595f9",
        "tanh": "4f3f76ce33887ea5997ee78e3313278e2ca54b72b21df537b8071884aa135734",
        "tanh, slope": "72a18a9545bb0f8562d1c808abe430c7b7467cd6bbf2bc029b6be6ad317ef3a1",
    },
    4099: {
        "exp": "2af4fbc18866c51a30d0be4eb1d53df887ac11e9777f9fe1dff5268ae2c1b3cb",
        "log": "26142e546d7277ac18717c60819ddc43485fd7b4c1f005503820dc9945a18f15",
        "sigmoid": "0bfcd42de506425b4271c624212882fb453c68516f48191f46b0eb1849a62743",
        "1 - sigmoid": "63a68d5bf0e9fc5aea5e0ee9d053b1d3008fee9dd27e80c9666508a19c52a8fd",
        "sigmoid, slope": "785e4ba7626676a4ff6556df55b58eb16f0061f23503874d44dcbe6787ff6353",
        "tanh": "27ef3bb5c4b7511f78df713166904bf39de4be6d91091c1099b0d9e0057e6d69",
        "tanh, slope": "7dee6eeb3f448940611c7bfe0698e5f100068a43f9b3d597904779d0a02c25ee",
    },
}
