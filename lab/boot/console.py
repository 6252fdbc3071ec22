"""The console script of an installed p2slab: what the program p2slab is in a checkout."""

import _signal  # type: ignore[import-not-found] # built in, and so at hand before anything can be interrupted

# Until somebody takes them: Ctrl-C is no reason for a traceback (lab/boot/signals.py).
_signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP))

import sys  # noqa: E402 (after the above)
from typing import NoReturn  # noqa: E402 (as above)

from lab.boot.source import HERE  # noqa: E402 (as above)
from lab.boot.streams import prepare  # noqa: E402 (as above)


def run() -> NoReturn:
    """Run the words of the command line."""
    prepare()  # before anything is opened that could get the number of a closed stream
    from lab.boot.main import main

    main(HERE, sys.argv[1:])
