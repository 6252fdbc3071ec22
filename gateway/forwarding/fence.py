"""The fence: the gateway's nftables table, which forwards packets only for sessions.

`gateway.forwarding.reach` makes the rules. This module loads them into the current network
namespace, and adds and deletes the addresses of sessions. A change takes 0.03 ms, however many
elements there are, so that it is made in the event loop's thread.
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
"""Seconds until the deletion of an address is retried."""
NEEDS = "nf_tables with the family inet, nft_ct, nft_fib_inet and, for the kernel's ESP, nft_xfrm"


class Fence(sessions.Fence, Protocol):
    """The interface for the gateway and its session table."""

    def enclose(self, reach: Reach) -> None:
        """Forward to these prefixes and no others, atomically. FenceError: nothing has changed."""

    @property
    def encloses(self) -> bool:
        """Whether the prefixes last asked for are in force."""


class NftFence:
    """The fence in the kernel. Create it in the network namespace that it is for."""

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
        """As in Fence; the first call also removes the table of an earlier process."""
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
            words = f"{address} could not be taken out of the fence; trying again"
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
    """Delete the address from these sets, or from both. Each deletion follows an addition, because
    deleting a missing element is an error; a transaction makes the pair invisible."""
    return [
        Change(name, address, interface, there)
        for name in names or (SESSIONS, RESERVED)
        for there in (True, False)
    ]
