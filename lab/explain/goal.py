"""What a node is to reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What is to be reached."""

    protocol: str
    """`tcp`, `udp` or `icmp`; `dns`: only the name is asked for."""
    name: str
    """A node's name, a DNS name or an address."""
    port: int = 0
    size: int = 0
    """Bytes of a packet that nobody may fragment, of ICMP; 0: whatever ping sends."""
    node: str = ""
    """The node meant by `name`, once that is known."""

    @property
    def title(self) -> str:
        """`app1 tcp/80`."""
        port = f" {self.protocol}/{self.port}" if self.port else ""
        return f"{self.name}{port}" + (f" ({self.size} bytes)" if self.size else "")
