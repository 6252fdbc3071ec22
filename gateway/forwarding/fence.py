"""The gateway's fence: the nftables table that forwards only for sessions, in this namespace.

What passes is said in `gateway.forwarding.reach`; here it is loaded, and here the session table's
addresses come and go. An address takes 0.03 ms, with a thousand elements as with none, and is
written where it is asked for, in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Protocol

from gateway.charon import datapath
from gateway.common.errors import FenceError
from gateway.common.nft import Change, Elements, Nft, NftError
from gateway.forwarding.reach import RESERVED, SESSIONS, TABLE, Attachment, Reach, rules
from gateway.policy import sessions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address

    from gateway.arm.placement import Placement
    from gateway.common.vocabulary import VpnProtocol
    from gateway.policy.diagnostics import DiagnosticLog

RETRY = 1.0
"""Seconds after which an address that could not be taken out is tried again."""
NEEDS = "nf_tables with the family inet, nft_ct, nft_fib_inet and, for the kernel's ESP, nft_xfrm"


class Fence(sessions.Fence, Protocol):
    """What the gateway and its session table ask of it."""

    def enclose(self, reach: Reach) -> None:
        """Have these prefixes reached and no others, at once. FenceError: all is as it was."""

    @property
    def encloses(self) -> bool:
        """Whether the prefixes asked for last are those in force."""


class NftFence:
    """The fence in the kernel. To be made in the namespace where it stands."""

    def __init__(self, placement: Placement, log: DiagnosticLog) -> None:
        self._placement = placement
        self._log = log
        self._nft: Nft | None = None
        self._elements: Elements | None = None
        self._attachment: Attachment | None = None
        self._wanted: Reach | None = None
        self._in_force: Reach | None = None
        self._owed: set[tuple[VpnProtocol, IPv4Address]] = set()

    @property
    def encloses(self) -> bool:
        """As in Fence."""
        return self._in_force is not None and self._in_force == self._wanted

    def enclose(self, reach: Reach) -> None:
        """As in Fence; the first time nothing is left of what an earlier process let through."""
        self._wanted = reach
        if self._attachment is None:
            userspace = datapath.find().userspace
            self._attachment = Attachment.of(self._placement, userspace=userspace)
        fresh = f"add table {TABLE}\ndelete table {TABLE}\n" if self._in_force is None else ""
        try:
            self._run(fresh + rules(self._attachment, reach))
        except FenceError as error:
            message = f"nothing can be forwarded safely: {error.message}; the kernel needs {NEEDS}"
            raise FenceError(message) from error
        self._in_force = reach

    def admit(
        self, protocol: VpnProtocol, address: IPv4Address, seconds: float | None = None
    ) -> None:
        """As in Fence."""
        name, limit = (SESSIONS, None) if seconds is None else (RESERVED, ceil(seconds))
        interface = self._interface(protocol)
        changes = [Change(name, address, interface, there=True, seconds=limit)]
        if (protocol, address) in self._owed:
            changes = _without(address, interface) + changes
        elif seconds is None:
            changes = _without(address, interface, RESERVED) + changes
        self._change(changes)
        self._owed.discard((protocol, address))

    def evict(self, protocol: VpnProtocol, address: IPv4Address) -> None:
        """As in Fence."""
        try:
            self._change(_without(address, self._interface(protocol)))
        except FenceError as error:
            words = f"{address} could not be taken out of the fence, and is tried again"
            self._log.add("engine", protocol, f"{words}: {error.message}")
            self._owed.add((protocol, address))
            asyncio.get_running_loop().call_later(RETRY, self._settle)

    def _settle(self) -> None:
        for protocol, address in list(self._owed):
            try:
                self._change(_without(address, self._interface(protocol)))
            except FenceError:
                continue
            self._owed.discard((protocol, address))
            self._log.add("engine", protocol, f"{address} is out of the fence now")
        if self._owed:
            asyncio.get_running_loop().call_later(RETRY, self._settle)

    def _interface(self, protocol: VpnProtocol) -> str:
        if self._attachment is None:
            raise FenceError("there is no fence yet")
        return self._attachment.interfaces[protocol]

    def _change(self, changes: Sequence[Change]) -> None:
        try:
            self._elements = self._elements or Elements(TABLE.split()[1])
            self._elements.apply(changes)
        except (OSError, NftError) as error:
            raise FenceError(f"nftables: {error}") from error

    def _run(self, commands: str) -> None:
        try:
            self._nft = self._nft or Nft()
            self._nft.run(commands)
        except (OSError, NftError) as error:
            raise FenceError(f"nftables: {error}") from error


def _without(address: IPv4Address, interface: str, *names: str) -> list[Change]:
    """Taken out of these sets, or of both. What may not be there cannot be deleted but after adding
    it, and nobody sees the middle of a transaction."""
    return [
        Change(name, address, interface, there)
        for name in names or (SESSIONS, RESERVED)
        for there in (True, False)
    ]
