"""The environment variables of programs in a node."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_INHERITED = re.compile(
    r"PATH|LANG|TERM|COLORTERM|PYTHON(?!PYCACHEPREFIX|SAFEPATH)[A-Z]*|P2SLAB_[A-Z]*"
)
"""Variables taken from the caller: the host's proxy and locale do not apply in a lab, and its
bytecode is found without a prefix (lab.nodes.files). A script finds the modules beside it."""
_OWN = {"HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 (the node's own /tmp)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program in a node, with `more` added."""
    inherited = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    return {**_OWN, **inherited, **(more or {})}
