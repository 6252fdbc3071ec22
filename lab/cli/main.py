"""`p2slab` in the private root: every failure ends in one message and the right exit code.

Slow modules are not imported here, because Ctrl-C is not handled yet.
"""

from __future__ import annotations

import sys

from gateway.common.quick_start import hurry
from lab.boot import streams
from lab.cli.leaving import leave
from lab.cli.signals import line, take_over
from lab.errors import OURS, LabError


def main() -> int:
    """Run the verb; its exit code."""
    streams.prepare()
    hurry()  # a lab settles (lab.runtime.start)
    try:
        take_over()
        from lab.cli.group import run  # noqa: PLC0415 (Ctrl-C is handled now)

        code = run()
        sys.stdout.flush()
    except LabError as error:
        _print_error(str(error))
        return error.code
    except KeyboardInterrupt as end:
        sys.stderr.write(line(end))
        return getattr(end, "code", 130)
    except Exception as error:  # noqa: BLE001 (the last line of defence: a bug in p2slab)
        return _unexpected(error)
    return code


def _unexpected(error: Exception) -> int:
    """Print an unexpected exception; for a bug of ours, save the traceback. The exit code."""
    from lab.failure import error_report, save_traceback  # noqa: PLC0415 (rarely needed)

    report = error_report(error)
    remedy = report["remedy"]
    if report["code"] == OURS:
        remedy = f"please report it, with {save_traceback(error)}"
    _print_error(str(LabError(report["message"], remedy)))
    return int(report["code"])


def _print_error(text: str) -> None:
    sys.stderr.write(f"p2slab: {text}\n")


if __name__ == "__main__":
    leave(main())
