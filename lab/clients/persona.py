"""IKE and ESP proposals of each operating system's native IKEv2 client. Data.

Source: strongSwan's documentation of Windows and Apple clients (docs/facts.md §15: Windows offers
only MODP1024; macOS one suite). All clients authenticate by EAP: Azure's certificate
authentication on IKEv2 is EAP-TLS.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IkePersona:
    """IKE and ESP proposals in strongSwan's notation, first choice first."""

    ike: tuple[str, ...]
    esp: tuple[str, ...]


_WINDOWS = IkePersona(
    ike=tuple(
        f"aes{bits}-{integrity}-modp1024"
        for bits in (256, 192, 128)
        for integrity in ("sha1", "sha256", "sha384")
    ),
    esp=("aes256-sha1", "aes128-sha1"),
)
_APPLE = IkePersona(("aes256-sha256-modp2048",), ("aes256-sha256",))
_STRONGSWAN = IkePersona(
    ("aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048"),
    ("aes256gcm16-ecp384", "aes256gcm16", "aes256-sha256"),
)

_OTHERS = {"macos": _APPLE, "ios": _APPLE, "linux": _STRONGSWAN, "android": _STRONGSWAN}


def ike_persona(os: str) -> IkePersona:
    """The proposals of an operating system; all versions of Windows have the same."""
    return _WINDOWS if os.startswith("windows") else _OTHERS[os]
