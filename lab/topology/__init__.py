"""Topology files: models, reading, rules and planning. Pure: the only I/O is reading the file."""
