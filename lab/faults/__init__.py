"""Named faults: what goes wrong on purpose, and how each ends."""
