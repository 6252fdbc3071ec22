"""What nftables does with packets that are traced: which rule, or which chain's policy, decides.

Source: linux/netfilter/nf_tables.h (nft_trace_attributes), linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from lab.errors import LabError
from lab.kernel import nft
from lab.kernel.encoding import HEADER, SOL_NETLINK, attributes, messages

_NETLINK_NETFILTER = 12
_ADD_MEMBERSHIP = 1
_GROUP = 9
"""NFNLGRP_NFTRACE."""
_TRACE = 10 << 8 | 17
"""NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE."""
_NFGENMSG = 4
_KIND = 0x3FFF
_TABLE, _CHAIN, _HANDLE, _TYPE, _VERDICT, _ID, _TRANSPORT, _POLICY = 1, 2, 3, 4, 5, 6, 9, 16
_CODE = 1
_BY_POLICY = 1
_DROP = 0
RECEIVE = 1 << 16
_numbers = itertools.count()
"""Several may trace in one namespace at a time: each has a table of its own."""


@dataclass(frozen=True)
class Drop:
    """The kernel dropped a traced packet."""

    table: str
    chain: str
    handle: int
    """The rule's; 0: the chain's policy did."""
    transport: bytes = b""
    """The first 20 bytes of the packet from its TCP or UDP header on. Who traces hears of all
    traced packets of the namespace, also those of others."""


class Tracer:
    """Traces packets that match in the calling thread's network namespace, until it is closed."""

    def __init__(self, match: str) -> None:
        """`match`: an expression of nft. LabError: the kernel does not trace."""
        self._table = f"inet p2slab_trace_{next(_numbers)}"
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, 0))  # the kernel tells nothing to one without a port
            self._socket.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
            hooks = "".join(
                f"add chain {self._table} {hook} {{ type filter hook {hook} priority -350; }}\n"
                f"add rule {self._table} {hook} {match} meta nftrace set 1\n"
                for hook in ("prerouting", "output")
            )
            nft.run(f"add table {self._table}\n{hooks}")
        except (OSError, LabError):
            self._socket.close()
            raise

    def close(self) -> list[Drop]:
        """End it; the packets that were dropped meanwhile."""
        try:
            nft.run(f"delete table {self._table}")
            return list(self._drops())
        finally:
            self._socket.close()

    def _drops(self) -> Iterator[Drop]:
        known: dict[bytes, bytes] = {}
        while True:
            try:
                data = self._socket.recv(RECEIVE)
            except BlockingIOError:
                return
            yield from drops(data, known)


def drops(data: bytes, known: dict[bytes, bytes]) -> Iterator[Drop]:
    """The drops among the messages of a trace. `known`: the transport headers of the packets so
    far, by their traces' numbers: only the first message of each hook has it."""
    for message in messages(data):
        if HEADER.unpack_from(message)[1] != _TRACE:
            continue
        found = {kind & _KIND: part for kind, part in attributes(message, HEADER.size + _NFGENMSG)}
        number = found.get(_ID, b"")
        if header := found.get(_TRANSPORT):
            known[number] = header
        verdict = {k & _KIND: part for k, part in attributes(found.get(_VERDICT, b""), 0)}
        by_policy = _number(found.get(_TYPE, b"")) == _BY_POLICY
        code = found.get(_POLICY) if by_policy else verdict.get(_CODE)
        if code is not None and _number(code) == _DROP:
            handle = 0 if by_policy else _number(found.get(_HANDLE, b""))
            names = _text(found.get(_TABLE, b"")), _text(found.get(_CHAIN, b""))
            yield Drop(*names, handle, known.get(number, b""))


def quoted(drop: Drop) -> str:
    """The rule, or the policy after the chain's rules, as the kernel has it now: one line. To be
    called in the namespace of the trace."""
    listed = nft.run(f"list chain inet {drop.table} {drop.chain}", handles=True)
    rows = [" ".join(row.split()) for row in listed.splitlines()]
    if drop.handle:
        own = (row for row in rows if row.endswith(f"# handle {drop.handle}"))
        return next(own, f"rule {drop.handle}").partition(" # handle")[0]
    bare = [row.partition(" # handle")[0] for row in rows]
    policy = next((row for row in bare if "policy" in row), "policy drop;")
    rules = [row for row in bare if not row.endswith("{") and row not in (policy, "}", "")]
    return f"{policy.rpartition('; ')[2].rstrip(';')} after: {' | '.join(rules) or 'no rule'}"


def _number(data: bytes) -> int:
    return int.from_bytes(data)


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
