"""Fences without a kernel: one that records calls, and none."""

from __future__ import annotations

from ipaddress import IPv4Address

from gateway.common.errors import FenceError
from gateway.common.vocabulary import VpnProtocol
from gateway.forwarding.reach import Reach

Passing = tuple[VpnProtocol, str]


class RecordingFence:
    """A gateway.forwarding.fence.Fence. `told` is all that was asked of it, `open` who passes now,
    `broken` whether it refuses."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.open: dict[Passing, float | None] = {}
        """By protocol and address: for how many seconds, None for good."""
        self.reach: Reach | None = None
        self.broken = False

    @property
    def encloses(self) -> bool:
        return not self.broken

    def enclose(self, reach: Reach) -> None:
        self._tell("enclose")
        self.reach = reach

    def admit(
        self, protocol: VpnProtocol, address: IPv4Address, seconds: float | None = None
    ) -> None:
        self._tell(f"admit {address}")
        self.open[protocol, str(address)] = seconds

    def evict(self, protocol: VpnProtocol, address: IPv4Address) -> None:
        self.told.append(f"evict {address}")
        self.open.pop((protocol, str(address)), None)

    def _tell(self, what: str) -> None:
        if self.broken:
            raise FenceError("nftables: the kernel has none")
        self.told.append(what)
