"""Whether a gateway is there at all: deleted, switched off, or cut off with its zone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.arm.sku import SKUS
from lab.errors import LabError
from lab.explain.model import Finding, failure, stamp, told
from lab.kernel import nft
from lab.world import OFF

if TYPE_CHECKING:
    from gateway.arm.sku import Sku
    from lab.world import World

_ZONE, _OFF = "zone-down", "gateway-down"
FAULTS = (_ZONE, _OFF)
"""The faults that take a gateway away."""


async def absent(name: str, world: World) -> Finding | None:
    """Why there is no such gateway at the moment; None: there is one."""
    gateway = world.gateways[name]
    try:
        if not await gateway.exists():
            return _deleted(name, world)
    except OFF as error:
        return await _off(name, error, world)
    rules = await _silence(name, _ZONE, world)
    if not rules:
        return None
    sku = (await _size(name, world)).name
    cause = (
        f"nothing reaches the gateway {name}: its availability zone has failed, and its size "
        f"{sku} is not zone-redundant"
    )
    remedy = f"wait for the zone (p2slab fault {_ZONE} --end), or choose a size for zones: {sku}AZ"
    size = f"the gateway's document: sku {sku}"
    return failure("gateway-down", cause, *rules, size, *_begun(name, _ZONE, world), remedy=remedy)


async def was_absent(name: str, at: float, world: World) -> Finding | None:
    """Why a gateway, which is there now, was not there at a time (seconds since the epoch); None:
    nothing is known to have taken it away."""
    own = [deed for deed in world.past if deed.subject in FAULTS and deed.at <= at]
    begun = [deed for deed in own[-1:] if deed.verb == "fault" and deed.place in ("", name)]
    for deed in begun:
        if deed.subject == _ZONE and (await _size(name, world)).zone_redundant:
            continue
        later = [one for one in world.past if one.subject == deed.subject and one.at > at]
        cause = (
            f"the gateway {name} was not there when it was dialled: {deed.effect} since "
            f"{stamp(deed.at)}, because of the fault {deed.subject}"
        )
        proof = map(told, (deed, *later[:1]))
        remedy = "dial again when the gateway is back"
        return failure("gateway-down", cause, *proof, remedy=remedy, at=stamp(at))
    return None


async def _size(name: str, world: World) -> Sku:
    return SKUS[(await world.gateways[name].get())["properties"]["sku"]["name"]]


def _deleted(name: str, world: World) -> Finding:
    own = [deed for deed in world.past if deed.verb == "delete" and deed.subject == name]
    at = stamp(own[-1].at) if own else ""
    remedy = "create the gateway anew, with its connections; clients then dial again"
    return failure(
        "gateway-down", f"the gateway {name} is deleted", *map(told, own), remedy=remedy, at=at
    )


async def _off(name: str, error: OSError, world: World) -> Finding:
    begun = [*_begun(name, _OFF, world)]
    rules = await _silence(name, _OFF, world)
    cause = f"the gateway {name} is switched off: no program of it is running"
    answer = f"{name}: its API: {error.strerror or error}"
    remedy = (
        f"switch it on: p2slab fault {_OFF} --end" if rules else f"see its log: p2slab logs {name}"
    )
    return failure("gateway-down", cause, answer, *rules, *begun, remedy=remedy)


async def _silence(name: str, fault: str, world: World) -> tuple[str, ...]:
    """The rule by which a fault silences a gateway, as its kernel has it."""
    table = f"inet fault-{fault}"
    node = world.nodes[name]
    try:
        listed = await node.call(partial(nft.run, f"list table {table}\n"))
    except LabError:
        return ()  # there is no such table
    rows = (" ".join(row.split()) for row in listed.splitlines())
    return tuple(f"{name}, table {table}: {row}" for row in rows if row.endswith("drop"))


def _begun(name: str, fault: str, world: World) -> tuple[str, ...]:
    own = [deed for deed in world.past if deed.verb == "fault" and deed.subject == fault]
    return tuple(told(deed) for deed in own[-1:] if deed.place in ("", name))
