"""A run checked: draws made again, files and counts verified, gradients held against exact arithmetic."""
