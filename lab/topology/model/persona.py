"""Which protocols each operating system dials, and in which order. Data from the seed document.

- "the Windows VPN client will always try IKEv2 tunnel first, but will fall back to SSTP";
- "IKEv2 is supported on Windows 10 and Server 2016. OS versions prior to Windows 10 are not
  supported and can only use SSTP or OpenVPN";
- "SSTP is only supported on Windows devices", "MacOSX will only connect via IKEv2";
- "OpenVPN can be used to connect from Android, iOS (versions 11.0 and above), Windows, Linux
  and Mac devices"; it is a program of its own, so it is dialled after the native client.
"""

from __future__ import annotations

from typing import Literal

from lab.topology.model.vocabulary import VpnProtocol

Os = Literal[
    "windows7",
    "windows8.1",
    "windows10",
    "windows11",
    "windows-server-2012",
    "windows-server-2016",
    "macos",
    "linux",
    "android",
    "ios",
]

_WINDOWS: tuple[VpnProtocol, ...] = ("IkeV2", "SSTP", "OpenVPN")
_OLD_WINDOWS: tuple[VpnProtocol, ...] = ("SSTP", "OpenVPN")
_STRONGSWAN_THEN_OPENVPN: tuple[VpnProtocol, ...] = ("IkeV2", "OpenVPN")

PROTOCOLS: dict[Os, tuple[VpnProtocol, ...]] = {
    "windows7": _OLD_WINDOWS,
    "windows8.1": _OLD_WINDOWS,
    "windows10": _WINDOWS,
    "windows11": _WINDOWS,
    "windows-server-2012": _OLD_WINDOWS,
    "windows-server-2016": _WINDOWS,
    "macos": _STRONGSWAN_THEN_OPENVPN,
    "linux": _STRONGSWAN_THEN_OPENVPN,
    "android": ("OpenVPN",),
    "ios": ("OpenVPN",),
}
"""Operating system to the protocols that its users can dial, first choice first."""
