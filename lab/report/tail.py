"""The ends of the logs of a lab, for its report."""

from __future__ import annotations

from collections import defaultdict, deque
from pathlib import Path

from lab.errors import LabError
from lab.report.secrets import Secrets
from lab.runtime.journal import Line, Reader

EACH = 30
"""Lines of one program."""
MOST = 3000
"""Lines of all."""
LONGEST = 400
"""Characters of a line."""


def tail(logs: Path, secrets: Secrets) -> list[Line]:
    """The last lines of each program, ordered by node, program and time; without secrets. None if
    the logs are gone: the lab was never built, or many have ended since."""
    last: defaultdict[tuple[str, str], deque[Line]] = defaultdict(lambda: deque(maxlen=EACH))
    try:
        reader = Reader(logs)
    except (OSError, LabError):
        return []
    try:
        for line in reader.new():
            last[line.node, line.program].append(line)
    finally:
        reader.close()
    each = max(1, MOST // max(1, len(last)))
    kept = [line for place in sorted(last) for line in list(last[place])[-each:]]
    # A secret must not be cut in two before it is looked for.
    return [line._replace(text=secrets.hidden(line.text)[:LONGEST]) for line in kept[:MOST]]
