"""A gateway's number of connections is reached: its size, and who is connected. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from lab.explain.model import Finding, failure, stamp, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.world import Deed


SIZE = "sku.name"


def limited(
    why: str, gateway: Mapping[str, Any], sessions: Sequence[str], deeds: Sequence[Deed], at: str
) -> Finding:
    """`why`: the record of the gateway, whose document `gateway` is; `sessions`: the protocols of
    those that stand now."""
    sku = str(gateway["properties"]["sku"]["name"])
    name = str(gateway["name"])
    resized = [(deed, change) for deed in deeds if (change := deed.change(name, SIZE))][-1:]
    since = "".join(
        f" since it was resized from {before} at {stamp(deed.at)}" for deed, (before, _) in resized
    )
    counted = ", ".join(f"{number} {name}" for name, number in Counter(sessions).items())
    return failure(
        "limit",
        f"the limit of connections is reached: {why}; the gateway's size is {sku}{since}",
        f"the gateway's document: sku {sku}",
        f"its sessions now: {counted or 'none'}",
        *(told(deed) for deed, _ in resized),
        f"the gateway's log at {at}: {why}",
        remedy="end sessions, or choose a larger SKU",
        at=at,
    )
