"""Read the VPN client configuration zip as a client does: as untrusted bytes.

Seed: "a VPN client configuration zip file that contains settings required by these native clients
to connect to Azure ... the VPN gateway address, configured tunnel types, routes, and the root
certificate for gateway validation."
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.arm.ipsec import IpsecPolicy
from gateway.profile.generic import IPSEC_POLICY
from lab.clients.mobileconfig import AppleSettings, read_mobileconfig
from lab.errors import LabError
from lab.topology.model.vocabulary import VpnProtocol

MAXIMUM_MEMBER = 1_000_000
"""Bytes of one file, unpacked, that are accepted."""
SETTINGS, ROOT, OPENVPN = (
    "Generic/VpnSettings.xml",
    "Generic/VpnServerRoot.cer",
    "OpenVPN/vpnconfig.ovpn",
)
WINDOWS_SETTINGS, WINDOWS_ROOT = "WindowsLab/VpnSettings.xml", "WindowsLab/VpnServerRoot.cer"
"""A gateway with only SSTP has no Generic/ folder: Windows clients read the folder that replaces
Azure's installer."""
APPLE = "Mac/VpnSettings.mobileconfig"
RADIUS_ROOT, WINDOWS_RADIUS_ROOT = (
    "Generic/RadiusServerRoot.cer",
    "WindowsLab/RadiusServerRoot.cer",
)
_READ = (
    SETTINGS, ROOT, WINDOWS_SETTINGS, WINDOWS_ROOT, OPENVPN, RADIUS_ROOT, WINDOWS_RADIUS_ROOT,
    APPLE,
)  # fmt: skip
_PROTOCOLS: dict[str, VpnProtocol] = {"ikev2": "IkeV2", "sstp": "SSTP"}


class ProfileError(LabError):
    """The zip is not a VPN client configuration."""


@dataclass(frozen=True)
class Profile:
    """The content of the zip."""

    protocols: tuple[VpnProtocol, ...]
    server: str
    """The gateway's name for IKEv2 and SSTP; empty if neither is offered."""
    routes: tuple[str, ...]
    server_root: bytes
    """PEM."""
    openvpn: str
    """vpnconfig.ovpn; empty if OpenVPN is not offered."""
    radius_root: bytes = b""
    """PEM: the root of the RADIUS server's certificate, if that server authenticates users by
    certificate; empty: the gateway does."""
    ipsec: IpsecPolicy | None = None
    """The only algorithms that the gateway takes for IKEv2, if the profile says so."""

    apple: AppleSettings | None = None
    """The mobileconfig, if there is one."""
    identity: str = ""
    """The name that the gateway must prove over IKEv2, if it is not `server`."""

    def as_apples(self) -> Profile:
        """As macOS and iOS read it: the mobileconfig says how to dial."""
        if self.apple is None:
            return self
        told = self.apple
        return replace(self, server=told.server, identity=told.identity, server_root=told.roots)

    def host(self, protocol: VpnProtocol) -> str:
        """The gateway's name for a protocol: vpnconfig.ovpn has its own (`remote`)."""
        if protocol != "OpenVPN":
            return self.server
        words = (line.split() for line in self.openvpn.splitlines())
        return next((line[1] for line in words if line[:1] == ["remote"] and line[1:]), "")

    def without_hosts(self, hosts: Iterable[str]) -> Profile:
        """The profile without routes to just one of these addresses."""
        own = {str(ip_network(host)) for host in hosts}
        return replace(self, routes=tuple(route for route in self.routes if route not in own))


def read_profile(data: bytes) -> Profile:
    """Read the zip; ProfileError if it is not a VPN client configuration."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {name: _member(archive, name) for name in _READ}
        return _profile(files)
    except KeyError as error:
        raise ProfileError(f"not a VPN client configuration: no {error} in {SETTINGS}") from error
    except (zipfile.BadZipFile, ET.ParseError, ValueError, NotImplementedError, EOFError) as error:
        raise ProfileError(f"not a VPN client configuration: {error}") from error


def with_server(data: bytes, server: str) -> bytes:
    """The zip with another server in place of the gateway's name, wherever a client reads whom to
    dial; ProfileError if it is not a VPN client configuration. Which certificate OpenVPN demands is
    a name of its own, and stays."""
    profile = read_profile(data)
    former = {profile.server, profile.host("OpenVPN")} - {""}
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            for name in former:
                content = content.replace(name.encode(), server.encode())
            new.writestr(entry, content)
    return buffer.getvalue()


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of the zip by its exact name (nothing is unpacked to disk); empty if missing."""
    if name not in archive.namelist():
        return b""
    with archive.open(name) as member:
        content = member.read(MAXIMUM_MEMBER + 1)
    if len(content) > MAXIMUM_MEMBER:
        raise ValueError(f"{name} is larger than {MAXIMUM_MEMBER} bytes")
    return content


def _profile(files: dict[str, bytes]) -> Profile:
    native: tuple[VpnProtocol, ...] = ()
    routes: tuple[str, ...] = ()
    server, root = "", b""
    policy: IpsecPolicy | None = None
    settings = files[SETTINGS] or files[WINDOWS_SETTINGS]
    if settings:
        tree = ET.fromstring(settings)  # noqa: S314 (expat since 2.4.1 stops entity bombs)
        values = {child.tag: child.text or "" for child in tree}
        found = tree.find(IPSEC_POLICY)
        if found is not None:
            policy = IpsecPolicy.model_validate(found.attrib)
        native = tuple(_PROTOCOLS[word.lower()] for word in _words(values["VpnType"])
                       if word.lower() in _PROTOCOLS)  # fmt: skip
        server = values["VpnServer"].strip()
        routes = tuple(dict.fromkeys(str(ip_network(word)) for word in _words(values["Routes"])))
        der = files[ROOT] or files[WINDOWS_ROOT]
        root = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    radius = files[RADIUS_ROOT] or files[WINDOWS_RADIUS_ROOT]
    if radius:
        radius = x509.load_der_x509_certificate(radius).public_bytes(Encoding.PEM)
    openvpn = files[OPENVPN].decode()
    protocols = (*native, *(("OpenVPN",) if openvpn else ()))
    if not protocols:
        raise ValueError(f"none of {SETTINGS}, {WINDOWS_SETTINGS} and {OPENVPN} is in it")
    apple = read_mobileconfig(files[APPLE]) if files[APPLE] else None
    return Profile(protocols, server, routes, root, openvpn, radius, policy, apple)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
