"""What is wrong with a document of Azure's, and where."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
SHOW = "paste what `az network vnet-gateway show` prints, or the answer of GET"
"""The remedy for a document of another form."""


@dataclass(frozen=True)
class Flaw:
    """Something in a document that cannot be taken."""

    path: Path
    """Where, in the document as it was given."""
    message: str
    remedy: str
    at_key: bool = False
    ignore: str = ""
    """What to write into a topology's `ignore` to go on without it; empty: that is not possible."""


def fold(name: str) -> str:
    """A name without case and underscores, as ARM and the SDKs compare them."""
    return name.replace("_", "").lower()
