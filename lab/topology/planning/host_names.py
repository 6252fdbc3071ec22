"""Host names of nodes: their names where those are DNS labels, else one made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

LONGEST = 50
"""Characters: paths of Unix sockets contain host names, and have at most 107 bytes."""
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_OTHERS = re.compile(r"[^A-Za-z0-9]+")
_ROOM = 4
"""Characters for a number."""


def host_names(names: Iterable[str]) -> dict[str, str]:
    """Name to host name (RFC 1123, section 2.1). No two differ by case only, as no two names do.

    `VNet1_Hub` becomes `VNet1-Hub`, or `VNet1-Hub-2` beside a node `VNet1-Hub`.
    """
    wanted = list(names)
    result = {n: n for n in wanted if len(n) <= LONGEST and _LABEL.fullmatch(n)}
    taken = {name.casefold() for name in result}
    for name in wanted:
        if name not in result:
            short = _OTHERS.sub("-", name)[: LONGEST - _ROOM].strip("-")
            numbered = (f"{short}-{number}" for number in count(2))
            label = short
            while label.casefold() in taken:
                label = next(numbered)
            result[name] = label
            taken.add(label.casefold())
    return result
