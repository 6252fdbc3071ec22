"""The runner: a topology in, a verdict out."""

VERSION = "0.1.0"
