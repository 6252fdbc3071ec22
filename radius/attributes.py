"""What the gateway says of itself and of a call in every Access-Request.

Source: the captured request of Azure's gateway over IKEv2, which is sent for IKEv2 as it is
(NAS-Identifier `RD` and 12 hexadecimal
digits, NAS-Port-Type Virtual, Framed-MTU 1300, MS-RAS-Vendor 311, MS-Network-Access-Server-Type
Remote-Access-Server). What it sends for SSTP is not documented; the attributes that a Windows
remote access server is documented to send for PPP are added (Service-Type, Framed-Protocol,
NAS-IP-Address, NAS-Port, Called- and Calling-Station-Id). Tunnel-Type is left out: RFC 2868 has
no number for SSTP.
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
"""Name in the dictionary, value."""


@dataclass(frozen=True)
class Nas:
    """The gateway, as it introduces itself to a RADIUS server."""

    identifier: str
    """NAS-Identifier."""
    address: str
    """Its private address: NAS-IP-Address, and where its sockets are bound."""
    called: str = ""
    """Called-Station-Id: its public address."""


@dataclass(frozen=True)
class Call:
    """A client that is calling."""

    calling: str = ""
    """Calling-Station-Id: the client's public address."""
    port: int = 0
    """NAS-Port: a number of the call."""
    tunnel: Literal["SSTP", "IkeV2"] = "SSTP"


def nas_identifier(gateway_id: str) -> str:
    """`RD` and 12 hexadecimal digits, the same for the same gateway."""
    return f"RD{hashlib.sha256(gateway_id.encode()).hexdigest()[:12].upper()}"


def of_call(nas: Nas, call: Call) -> list[Pair]:
    """The attributes of a call besides those of the user."""
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
    """The dictionary that packets are read and written with."""
    return Dictionary(str(Path(__file__).parent / "dictionary" / "dictionary"))
