"""The first program of a user-mode Linux node: `python -I -S init.py SOURCE`.

It only makes the other modules importable: their bytecode is cached, but this file is compiled at
every boot.
"""

import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])

from lab.guest.boot import boot  # noqa: E402 (after the path to it)

boot()
