"""Named faults that a lab injects, and how each ends."""
