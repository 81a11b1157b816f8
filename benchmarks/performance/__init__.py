"""The speed of fastlstm beside its peers and beside what the machine can do: `make bench`."""
