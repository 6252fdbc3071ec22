"""What the data plane counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Of one flow. `in` is from the client; bytes are those of IP packets."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    """Of packets that are dropped after all, too."""
    bytes_out: int = 0
    dropped: int = 0
    """To the client: its queue was full, or it was too large to be sent."""
    spoofed: int = 0
    """From the client, with a source address that is not its own."""
    malformed: int = 0
    """From the client: no sound IPv4."""
    refused: int = 0
    """From the client: the kernel did not take it."""


@dataclass(slots=True)
class PlaneCounters:
    """Of packets that belong to no flow."""

    unknown: int = 0
    """From the TUN, to an address that no client has, or no IPv4."""
    unusable: int = 0
    """From the TUN: what cannot be sent on."""
    refused: int = 0
    """Answers to senders that the kernel did not take."""
