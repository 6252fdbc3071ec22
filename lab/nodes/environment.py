"""The environment variables of programs in a node."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_INHERITED = re.compile(r"PATH|LANG|TERM|COLORTERM|PYTHON[A-Z]*|P2SLAB_[A-Z]*")
"""Of the caller's; a proxy or a locale of the machine is not the lab's."""
_OWN = {"HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 (the node's own /tmp)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program in a node is given, and `more`."""
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    return {**_OWN, **inherited, **(more or {})}
