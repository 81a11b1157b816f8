"""The version of the bits that the kernel computes, which runs record, and the hashes that hold the kernel to it.

Whoever changes the kernel so that a bit of any result changes raises BITS_VERSION by one, puts the hashes that `make
identity` prints here, makes docs/bit-identity.md anew from its output, and says in the commit why the bits changed.
The hashes are of the contents of the runs in benchmarks/bit_identity.py, the same on every processor with fma.
"""

BITS_VERSION = 2
HASHES = {
    "float64": "76dad2cdf57df2631c6b2c8961ab0689433a681b081896c087741826853b9fdd",
    "float64, tie": "56fba2ceefd5db3eb1ae46b0984bb4f26edc119dde7c32935372ea7d84d59ba6",
    "float32": "da24db7dbbf4e2e4f54a3de51e96f69eb322cc46fa0487d1c2b4995cd1d92df3",
}
