"""The machine's neighbour tables, which all network namespaces share (net/core/neighbour.c).

Standard library only.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

STATISTICS = ("/proc/net/stat/arp_cache", "/proc/net/stat/ndisc_cache")
FULL = "table_fulls"


def refused() -> int:
    """How many entries were refused since boot because a table was full. 0 if that cannot be read,
    as in network namespaces other than the initial one."""
    return sum(map(_refused, STATISTICS))


def _refused(file: str) -> int:
    with suppress(OSError, ValueError):
        heading, *processors = Path(file).read_text().splitlines()
        column = heading.split().index(FULL)
        return sum(int(line.split()[column], 16) for line in processors)
    return 0
