"""`p2slab` in the private root: whatever happens ends in one message and the right exit code.

Nothing is imported here that takes time: Ctrl-C may come while it is.
"""

from __future__ import annotations

import gc
import sys

from lab.boot import streams
from lab.cli.leaving import leave
from lab.cli.no_plugins import expect_no_plugins
from lab.cli.signals import line, take_over
from lab.errors import OURS, LabError


def main() -> int:
    """Run the verb; its exit code."""
    streams.prepare()
    gc.disable()  # it would look at all that a verb imports again and again; a lab has it
    expect_no_plugins()
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
    except Exception as error:  # noqa: BLE001 (the last line of defence: a bug in p2slab)
        return _unforeseen(error)
    return code


def _unforeseen(error: Exception) -> int:
    """Tell of it; the traceback goes into a file, for who mends it."""
    from lab.failure import error_report, save_traceback  # noqa: PLC0415 (few need it)

    failure = error_report(error)
    remedy = failure["remedy"]
    if failure["code"] == OURS:
        remedy = f"please report it, with {save_traceback(error)}"
    _say(str(LabError(failure["message"], remedy)))
    return int(failure["code"])


def _say(text: str) -> None:
    sys.stderr.write(f"p2slab: {text}\n")


if __name__ == "__main__":
    leave(main())
