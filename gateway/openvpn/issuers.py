"""The library with which openvpn tells issuers of one name apart (issuers.c)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gateway.common import compiled

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared")


class Issuers(NamedTuple):
    """How openvpn looks for issuers."""

    environment: dict[str, str]
    """Environment variables of openvpn."""
    missing: str
    """What to add to a refusal if the library is missing and roots have one name; or empty."""


def issuers() -> Issuers:
    """The library, built if it is missing and can be built."""
    try:
        library = compiled.build(SOURCE, compiled.kept(), FLAGS)
    except (OSError, RuntimeError) as error:
        return Issuers({}, f"; several uploaded roots have one name, and openvpn tells them apart "
                           f"by the key identifiers of root and client alone, because {SOURCE.name}"
                           f" is not compiled: {error}")  # fmt: skip
    return Issuers({"LD_PRELOAD": str(library)}, "")
