"""The launcher: makes and enters the private root. Standard library only, Python 3.9."""
