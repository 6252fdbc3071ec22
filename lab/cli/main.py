"""`p2slab` in the private root: whatever happens ends in one message and the right exit code.

Nothing is imported here that takes time: Ctrl-C may come while it is.
"""

from __future__ import annotations

import os
import sys

from lab.cli.signals import line, take_over
from lab.errors import OURS, LabError

OUTPUT = 1
NOBODY_READS = 128 + 13
"""As of a program that SIGPIPE has ended."""


def main() -> int:
    """Run the verb; its exit code."""
    try:
        take_over()
        from lab.cli.group import run  # noqa: PLC0415 (where Ctrl-C is expected)

        code = run()
        sys.stdout.flush()
    except LabError as error:
        _say(str(error))
        return error.code
    except KeyboardInterrupt as end:
        sys.stderr.write(line(end))
        return getattr(end, "code", 130)
    except BrokenPipeError:
        _drop_output()
        return NOBODY_READS
    except Exception as error:  # noqa: BLE001 (the last line of defence: a fault of ours)
        return _unforeseen(error)
    return code


def _unforeseen(error: Exception) -> int:
    """Tell of it; the traceback goes into a file, for who mends it."""
    from lab.runtime.failure import told, written_down  # noqa: PLC0415 (few need it)

    failure = told(error)
    remedy = failure["remedy"]
    if failure["code"] == OURS:
        remedy = f"please report it, with {written_down(error)}"
    _say(str(LabError(failure["message"], remedy)))
    _drop_output()  # it may be the output that is full, and is written once more at the end
    return int(failure["code"])


def _say(text: str) -> None:
    sys.stderr.write(f"p2slab: {text}\n")


def _drop_output() -> None:
    """What is still to be written goes nowhere, so that Python does not complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, OUTPUT)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
