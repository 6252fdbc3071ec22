"""`python -m gateway` without a fence, for kernels that have none: the program itself refuses them.

User-mode Linux of Debian 12 has ESP and no nftables for IP.
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Address
from typing import Any
from unittest.mock import patch

from gateway import program
from gateway.common.vocabulary import VpnProtocol
from gateway.forwarding.reach import Reach


class Unfenced:
    """A gateway.forwarding.fence.Fence that forwards everything."""

    encloses = True

    def __init__(self, *_: Any) -> None:
        pass

    def enclose(self, reach: Reach) -> None:
        """Nothing is."""

    def admit(
        self, protocol: VpnProtocol, address: IPv4Address, seconds: float | None = None
    ) -> None:
        """Everybody passes."""

    def evict(self, protocol: VpnProtocol, address: IPv4Address) -> None:
        """And goes on to."""


if __name__ == "__main__":
    with patch("gateway.forwarding.fence.NftFence", Unfenced):
        sys.exit(program.main())
