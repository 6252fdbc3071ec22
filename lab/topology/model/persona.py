"""Client operating systems: what each release dials, and what it needs for that. Data from the seed
document, and what follows from it for one computer.

- "the Windows VPN client will always try IKEv2 tunnel first, but will fall back to SSTP";
- "IKEv2 is supported on Windows 10 and Server 2016. However, in order to use IKEv2, you must
  install updates and set a registry key value locally. OS versions prior to Windows 10 are not
  supported and can only use SSTP or OpenVPN";
- "SSTP is only supported on Windows devices", "MacOSX will only connect via IKEv2";
- "OpenVPN can be used to connect from Android, iOS (versions 11.0 and above), Windows, Linux
  and Mac devices (OSX versions 10.13 and above)"; it is a program of its own, so it is dialled
  after the native client. It brings its own TLS library, too;
- "How do I enable support for TLS 1.2 in Windows 7 and Windows 8.1?": updates and registry values.

The registry values are bit masks (Microsoft's support articles on KB3140245 and KB2977292).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lab.topology.model.tls import TlsVersion
from lab.topology.model.vocabulary import VpnProtocol

Os = Literal[
    "windows7",
    "windows8.1",
    "windows10",
    "windows11",
    "windows-server-2008-r2",
    "windows-server-2012",
    "windows-server-2012-r2",
    "windows-server-2016",
    "macos",
    "linux",
    "android",
    "ios",
]
Architecture = Literal["Amd64", "X86"]
"""ARM's words (processorArchitecture of generatevpnprofile)."""

EAP_TLS = r"HKLM\SYSTEM\CurrentControlSet\Services\RasMan\PPP\EAP\13\TlsVersion"
WINHTTP = (
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp"
    r"\DefaultSecureProtocols"
)
WINHTTP_32 = WINHTTP.replace(r"SOFTWARE", r"SOFTWARE\Wow6432Node")
"""Of 32-bit programs on a 64-bit Windows."""
NO_CERT_REQ = r"HKLM\SYSTEM\CurrentControlSet\Services\RasMan\IKEv2\DisableCertReqPayload"
_SCHANNEL = (
    r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client"
)
SCHANNEL_ENABLED, SCHANNEL_DISABLED = (
    rf"{_SCHANNEL}\Enabled",
    rf"{_SCHANNEL}\DisabledByDefault",
)

_WINHTTP_VERSIONS: Mapping[int, TlsVersion] = {0x080: "1.0", 0x200: "1.1", 0x800: "1.2"}
_VERSIONS: Mapping[str, Mapping[int, TlsVersion]] = {
    EAP_TLS: {0x0C0: "1.0", 0x300: "1.1", 0xC00: "1.2"},
    WINHTTP: _WINHTTP_VERSIONS,
    WINHTTP_32: _WINHTTP_VERSIONS,
}
"""The bits of each TLS version."""
_SSL = {EAP_TLS: 0, WINHTTP: 0x028, WINHTTP_32: 0x028}
"""The bits of SSL 2.0 and 3.0: allowed, and without effect, since no gateway has them."""
_OLDEST: TlsVersion = "1.0"
WINHTTP_UPDATE, EAP_TLS_UPDATE = "KB3140245", "KB2977292"
_UPDATE_OF = {EAP_TLS: EAP_TLS_UPDATE, WINHTTP: WINHTTP_UPDATE, WINHTTP_32: WINHTTP_UPDATE}
"""The update without which an old Windows does not read the value."""


@dataclass(frozen=True)
class Release:
    """A version of an operating system."""

    dials: tuple[VpnProtocol, ...]
    """The protocols that its users can dial, first choice first."""
    architectures: tuple[Architecture, ...] = ()
    """Empty: not told apart, and not Windows."""
    ikev2_update: str = ""
    """The update without which it dials no IKEv2; it also needs NO_CERT_REQ = 1 then."""
    old_tls: bool = False
    """Whether its TLS ends at 1.0 unless the registry says otherwise."""
    tls_updates: tuple[str, ...] = ()
    """The updates without which it does not read these registry values."""
    radius_only: tuple[VpnProtocol, ...] = ()
    """Protocols that it dials at gateways with RADIUS only."""

    @property
    def updates(self) -> tuple[str, ...]:
        """All updates that the seed names for it."""
        return (*self.tls_updates, *([self.ikev2_update] if self.ikev2_update else ()))

    def values(self, architecture: Architecture) -> tuple[str, ...]:
        """The registry values that have an effect on it."""
        if not self.architectures:
            return ()
        return (
            EAP_TLS,
            WINHTTP,
            *([WINHTTP_32] if architecture == "Amd64" else ()),
            SCHANNEL_ENABLED,
            SCHANNEL_DISABLED,
            *([NO_CERT_REQ] if self.ikev2_update else ()),
        )

    def registry(self, architecture: Architecture) -> dict[str, int]:
        """The registry values that the seed sets on it."""
        winhttp = {WINHTTP: 0xAA0} | ({WINHTTP_32: 0xAA0} if architecture == "Amd64" else {})
        return ({EAP_TLS: 0xFC0, **winhttp} if self.old_tls else {}) | (
            {NO_CERT_REQ: 1} if self.ikev2_update else {}
        )


_BOTH: tuple[Architecture, ...] = ("Amd64", "X86")
_OLD: tuple[VpnProtocol, ...] = ("SSTP", "OpenVPN")
_NEW: tuple[VpnProtocol, ...] = ("IkeV2", "SSTP", "OpenVPN")
_TLS_UPDATES = (WINHTTP_UPDATE, EAP_TLS_UPDATE)
_DESKTOP = Release(_OLD, _BOTH, old_tls=True, tls_updates=_TLS_UPDATES)
_SERVER = replace(_DESKTOP, architectures=("Amd64",))
_STRONGSWAN_THEN_OPENVPN: tuple[VpnProtocol, ...] = ("IkeV2", "OpenVPN")
_IOS: tuple[VpnProtocol, ...] = ("OpenVPN", "IkeV2")

SYSTEMS: Mapping[Os, Mapping[str, Release]] = {
    "windows7": {"": _DESKTOP},
    "windows8.1": {"": _DESKTOP},
    "windows10": {
        "10240": Release(_OLD, _BOTH, old_tls=True),
        "1607": Release(_NEW, _BOTH, "KB4057142"),
        "1703": Release(_NEW, _BOTH, "KB4057144"),
        "1709": Release(_NEW, _BOTH, "KB4089848"),
    },
    "windows11": {"": Release(_NEW, ("Amd64",))},
    "windows-server-2008-r2": {"": _SERVER},
    "windows-server-2012": {"": _SERVER},
    "windows-server-2012-r2": {"": _SERVER},
    "windows-server-2016": {"": Release(_NEW, ("Amd64",), "KB4057142")},
    "macos": {
        "10.10": Release(()),
        **dict.fromkeys(("10.11", "10.12"), Release(("IkeV2",))),
        **dict.fromkeys(
            ("10.13", "10.14", "10.15", *map(str, range(11, 16))),
            Release(_STRONGSWAN_THEN_OPENVPN),
        ),
    },
    "linux": {"": Release(_STRONGSWAN_THEN_OPENVPN)},
    "android": {"": Release(("OpenVPN",))},
    "ios": {
        **dict.fromkeys(("9", "10"), Release(("IkeV2",), radius_only=("IkeV2",))),
        **dict.fromkeys(map(str, range(11, 19)), Release(_IOS, radius_only=("IkeV2",))),
    },
}
"""Operating system to its releases, the oldest first; without versions, the only one is ''."""


def order_of(os: Os) -> tuple[VpnProtocol, ...]:
    """What the newest release dials, first choice first."""
    return SYSTEMS[os][_newest(os)].dials


def _newest(os: Os) -> str:
    return list(SYSTEMS[os])[-1]


_APPLES_VERSION = re.compile(r"(?P<row>(10\.)?[0-9]+)(\.[0-9]+){0,2}")


def known_version(os: Os, version: str) -> str | None:
    """The row of a version: 10.13.6 of macOS is its 10.13, and 11.0 of iOS its 11; None if it is
    not known."""
    apples = _APPLES_VERSION.fullmatch(version) if os in ("macos", "ios") else None
    if apples and os == "ios":
        version = version.partition(".")[0]
    elif apples:
        version = apples["row"]
    return version if version and version in SYSTEMS[os] else None


def canonical_value(text: str) -> str:
    """A registry value's path as reg.exe writes it; unknown ones stay as they are."""
    parts = [part.strip() for part in text.strip().strip("\\").split("\\")]
    if parts[0].casefold() in ("hkey_local_machine", "hklm:", "hklm"):
        parts[0] = "HKLM"
    path = "\\".join(parts)
    return {known.casefold(): known for known in VALUES}.get(path.casefold(), path)


VALUES = (EAP_TLS, WINHTTP, WINHTTP_32, NO_CERT_REQ, SCHANNEL_ENABLED, SCHANNEL_DISABLED)
"""The registry values that this lab knows."""


def wrong_value(path: str, number: int) -> str:
    """Why the registry value cannot be this number; empty if it can."""
    bits = _VERSIONS.get(path)
    if bits is None:
        return "" if number in (0, 1) else "it is 0 or 1"
    allowed = _SSL[path] + sum(bits)
    masks = ", ".join(f"{mask:#x} is TLS {version}" for mask, version in bits.items())
    if number & ~allowed or not any(number & mask for mask in bits):
        return f"it is a sum of these: {masks}"
    return ""


@dataclass(frozen=True)
class ClientSystem:
    """A client computer's operating system in the state in which it is."""

    os: Os
    version: str
    """A key of SYSTEMS[os]."""
    architecture: Architecture = "Amd64"
    updates: frozenset[str] = frozenset()
    registry: Mapping[str, int] = field(default_factory=dict)
    administrator: bool = True
    """Whether its user has administrator rights, which Windows asks for."""

    @property
    def release(self) -> Release:
        """Its row in the table."""
        return SYSTEMS[self.os][self.version]

    @property
    def windows(self) -> bool:
        """Whether it is a Windows."""
        return bool(self.release.architectures)

    def __str__(self) -> str:
        """Such as `windows10 1607 X86`."""
        shown = "X86" if self.architecture == "X86" else ""
        return " ".join(filter(None, (self.os, self.version, shown)))

    @property
    def label(self) -> str:
        """The same, with what it lacks."""
        lacks = "not updated" if self.missing() else ""
        rights = "" if self.administrator else "no administrator"
        return ", ".join(filter(None, (str(self), lacks, rights)))

    def prepared(self) -> ClientSystem:
        """The computer with all updates and registry values that the seed names for it."""
        wanted = self.release.registry(self.architecture)
        updates = self.updates | frozenset(self.release.updates)
        return replace(self, updates=updates, registry={**self.registry, **wanted})

    def missing(self) -> tuple[str, ...]:
        """What `prepared` adds or sets."""
        wanted = self.release.registry(self.architecture)
        return (
            *(name for name in self.release.updates if name not in self.updates),
            *(f"{key} = {value:#x}" for key, value in wanted.items()
              if self.registry.get(key) != value),
        )  # fmt: skip

    def why_not(self, protocol: VpnProtocol, *, radius: bool) -> str:
        """Why it does not dial the protocol; empty if it does. `radius`: the gateway asks a RADIUS
        server."""
        release = self.release
        if protocol not in release.dials:
            rows = SYSTEMS[self.os].items()
            first = next((name for name, row in rows if protocol in row.dials), "")
            return f"{self.os} dials no {protocol}" + (f" before version {first}" if first else "")
        if protocol in release.radius_only and not radius:
            return f"{self.os} dials {protocol} only where RADIUS authenticates its user"
        if protocol == "IkeV2" and release.ikev2_update:
            lacking = list(self._lacks_for_ikev2())
            return f"{self} dials no IkeV2 without {' and '.join(lacking)}" if lacking else ""
        return ""

    def _lacks_for_ikev2(self) -> Iterator[str]:
        if self.release.ikev2_update not in self.updates:
            yield self.release.ikev2_update
        if self.registry.get(NO_CERT_REQ) != 1:
            yield f"{NO_CERT_REQ} = 1"

    @property
    def sstp_tls(self) -> TlsVersion | None:
        """The newest TLS version of its SSTP; None: the newest of all."""
        paths = [WINHTTP, *([WINHTTP_32] if self.architecture == "Amd64" else ())]
        return self._newest_of(*paths)

    @property
    def eap_tls(self) -> TlsVersion | None:
        """The newest TLS version of its EAP-TLS; None: the newest of all."""
        return self._newest_of(EAP_TLS)

    def _newest_of(self, *paths: str) -> TlsVersion | None:
        if not self.windows:
            return None
        found = min(map(self._read, paths))
        off = self.registry.get(SCHANNEL_ENABLED) == 0 or self.registry.get(SCHANNEL_DISABLED) == 1
        found = min(found, "1.1") if off else found
        return None if found == "1.2" else found

    def _read(self, path: str) -> TlsVersion:
        """The newest version that a registry value allows."""
        release, number = self.release, self.registry.get(path)
        reads = not release.tls_updates or _UPDATE_OF[path] in self.updates
        if number is None or not reads:
            return _OLDEST if release.old_tls else "1.2"
        return max(version for mask, version in _VERSIONS[path].items() if number & mask)


def client_system(
    os: Os,
    version: str | None = None,
    architecture: Architecture | None = None,
    updates: tuple[str, ...] | None = None,
    registry: Mapping[str, int] | None = None,
    *,
    administrator: bool = True,
) -> ClientSystem:
    """The computer that a topology describes. Left out: the newest version, 64-bit; without both
    `updates` and `registry`, everything that the seed names; with one of them, just what is said.
    """
    row = known_version(os, version) if version else None
    system = ClientSystem(
        os,
        _newest(os) if row is None else row,
        architecture or "Amd64",
        frozenset(updates or ()),
        {canonical_value(key): value for key, value in (registry or {}).items()},
        administrator,
    )
    return system.prepared() if updates is None and registry is None else system
