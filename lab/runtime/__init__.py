"""A running lab: one process tree, which the kernel ends as a whole."""
