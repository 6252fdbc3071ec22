"""The launcher: makes the private root and enters it. Standard library only, Python 3.9."""
