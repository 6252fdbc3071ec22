"""The lab as one process tree that the kernel takes down."""
