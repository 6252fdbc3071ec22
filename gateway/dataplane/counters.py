"""The data plane's counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counters of one flow. `in` is from the client; bytes are those of IP packets."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    """Includes packets that are dropped later."""
    bytes_out: int = 0
    dropped: int = 0
    """To the client: the queue was full, or the packet too large."""
    spoofed: int = 0
    """From the client: the source address was not its own."""
    malformed: int = 0
    """From the client: not a valid IPv4 packet."""
    refused: int = 0
    """From the client: the kernel did not accept it."""


@dataclass(slots=True)
class PlaneCounters:
    """Counters of packets that belong to no flow."""

    unknown: int = 0
    """From the TUN: to an address that no client has, or not IPv4."""
    unusable: int = 0
    """From the TUN: packets that cannot be forwarded."""
    refused: int = 0
    """ICMP messages to senders that the kernel did not accept."""
