"""IKE and ESP proposals of each operating system's native IKEv2 client. Data.

Source: strongSwan's documentation of Windows and Apple clients (docs/facts.md §15: Windows offers
only MODP1024; macOS one suite). All clients authenticate by EAP: Azure's certificate
authentication on IKEv2 is EAP-TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.charon.proposals import Proposals

if TYPE_CHECKING:
    from lab.topology.model.ike import IkeOffer

_WINDOWS = Proposals(
    ike=tuple(
        f"aes{bits}-{integrity}-modp1024"
        for bits in (256, 192, 128)
        for integrity in ("sha1", "sha256", "sha384")
    ),
    esp=("aes256-sha1", "aes128-sha1"),
)
_APPLE = Proposals(("aes256-sha256-modp2048",), ("aes256-sha256",))
_STRONGSWAN = Proposals(
    ("aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048"),
    ("aes256gcm16-ecp384", "aes256gcm16", "aes256-sha256"),
)

_OTHERS = {"macos": _APPLE, "ios": _APPLE, "linux": _STRONGSWAN, "android": _STRONGSWAN}


_LACKS = {"macos": "modp2048s256", "ios": "modp2048s256"}
"""Groups that an operating system cannot be told to use (Apple's Device Management,
DiffieHellmanGroup: no 24). Windows can be told to use all of Azure's algorithms
(Set-VpnConnectionIPsecConfiguration)."""


def ike_persona(os: str) -> Proposals:
    """The proposals of an operating system; all versions of Windows have the same."""
    return _WINDOWS if os.startswith("windows") else _OTHERS[os]


def offered(os: str, asked: Proposals | None, own: IkeOffer | None) -> Proposals:
    """What a computer proposes: its user's `own` choice, or what the profile asks for if the
    operating system can be set to it, or else what the operating system proposes by itself."""
    found = ike_persona(os)
    if asked:
        lacking = _LACKS.get(os)
        if not any(lacking in one.split("-") for one in (*asked.ike, *asked.esp)):
            found = asked
    return Proposals((own and own.proposals) or found.ike, (own and own.esp) or found.esp)
