"""The machine's tables of neighbours, which all network namespaces share (net/core/neighbour.c).

Standard library only.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

STATISTICS = ("/proc/net/stat/arp_cache", "/proc/net/stat/ndisc_cache")
FULL = "table_fulls"


def refused() -> int:
    """How often, since the machine started, an entry was refused because a table was full; 0 where
    that cannot be read, as in network namespaces other than the machine's first."""
    return sum(map(_refused, STATISTICS))


def _refused(file: str) -> int:
    with suppress(OSError, ValueError):
        heading, *processors = Path(file).read_text().splitlines()
        column = heading.split().index(FULL)
        return sum(int(line.split()[column], 16) for line in processors)
    return 0
