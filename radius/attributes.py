"""The attributes that describe the gateway and a call in every Access-Request.

Source: a captured request of Azure's gateway over IKEv2, whose attributes are sent unchanged for
IKEv2 (NAS-Identifier `RD` and 12 hexadecimal digits, NAS-Port-Type Virtual, Framed-MTU 1300,
MS-RAS-Vendor 311, MS-Network-Access-Server-Type Remote-Access-Server). Azure does not document its
attributes for SSTP; added are those that Windows remote access servers are documented to send for
PPP (Service-Type, Framed-Protocol, NAS-IP-Address, NAS-Port, Called- and Calling-Station-Id).
Tunnel-Type is omitted, because RFC 2868 has no number for SSTP.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pyrad.dictionary import Dictionary

FRAMED_MTU = 1300
MICROSOFT = 311

Pair = tuple[str, str | int | bytes]
"""Attribute name in the dictionary, and value."""


@dataclass(frozen=True)
class Nas:
    """The gateway's identity towards RADIUS servers."""

    identifier: str
    """NAS-Identifier."""
    address: str
    """The private address: NAS-IP-Address, and the address that sockets are bound to."""
    called: str = ""
    """Called-Station-Id: the public address."""


@dataclass(frozen=True)
class Call:
    """A client's connection attempt."""

    calling: str = ""
    """Calling-Station-Id: the client's public address."""
    port: int = 0
    """NAS-Port: the call's number."""
    tunnel: Literal["SSTP", "IkeV2"] = "SSTP"


def nas_identifier(gateway_id: str) -> str:
    """`RD` and 12 hexadecimal digits, constant for each gateway."""
    return f"RD{hashlib.sha256(gateway_id.encode()).hexdigest()[:12].upper()}"


def of_call(nas: Nas, call: Call) -> list[Pair]:
    """The attributes of a call, without those of the user."""
    if call.tunnel == "IkeV2":
        return [
            ("NAS-Identifier", nas.identifier),
            ("NAS-Port-Type", "Virtual"),
            ("Tunnel-Type", "ESP"),
            ("Tunnel-Medium-Type", "IPv4"),
            ("Framed-MTU", FRAMED_MTU),
            ("MS-RAS-Vendor", MICROSOFT),
            ("MS-Network-Access-Server-Type", "Remote-Access-Server"),
        ]
    return [
        ("NAS-Identifier", nas.identifier),
        ("NAS-IP-Address", nas.address),
        ("NAS-Port", call.port),
        ("NAS-Port-Type", "Virtual"),
        ("Service-Type", "Framed"),
        ("Framed-Protocol", "PPP"),
        ("Framed-MTU", FRAMED_MTU),
        *([("Called-Station-Id", nas.called)] if nas.called else []),
        *([("Calling-Station-Id", call.calling)] if call.calling else []),
        ("MS-RAS-Vendor", MICROSOFT),
        ("MS-Network-Access-Server-Type", "Remote-Access-Server"),
    ]


@cache
def dictionary() -> Dictionary:
    """The dictionary for parsing and encoding packets."""
    return Dictionary(str(Path(__file__).parent / "dictionary" / "dictionary"))
