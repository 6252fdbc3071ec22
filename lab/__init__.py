"""The runner: a topology in, a verdict out."""
