"""A gateway's number of connections is reached: its size, and who is connected. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.world import Deed


def limited(why: str, sku: str, sessions: Sequence[str], deeds: Sequence[Deed], at: str) -> Finding:
    """`why`: the gateway's record; `sessions`: the protocols of those that stand now."""
    resized = [deed for deed in deeds if deed.verb == "update" and '"sku"' in deed.text]
    since = f" since it was resized at {stamp(resized[-1].at)}" if resized else ""
    counted = ", ".join(f"{number} {name}" for name, number in Counter(sessions).items())
    return failure(
        "limit",
        f"the limit of connections is reached: {why}; the gateway's size is {sku}{since}",
        f"the gateway's document: sku {sku}",
        f"its sessions now: {counted or 'none'}",
        *(f"at {stamp(deed.at)}: {deed.text}" for deed in resized[-1:]),
        f"the gateway's log at {at}: {why}",
        remedy="end sessions, or choose a larger SKU",
        at=at,
    )
