"""Configuration of the openvpn server: pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.common import cipher_suites
from gateway.openvpn.half_open import MAX_CLIENTS
from gateway.openvpn.management import HANDSHAKE_WINDOW
from gateway.policy.protocols import PROTOCOLS

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network
    from pathlib import Path

    from gateway.arm.placement import Placement
    from gateway.engine import Settings

PORT = 443
DEVICE = PROTOCOLS["OpenVPN"].device
PING, PING_RESTART = 10, 60
"""Seconds; Azure does not document its values."""


def server(
    placement: Placement,
    pool: tuple[IPv4Network, ...],
    state: Path,
    certificates: tuple[str, ...] = (),
) -> str:
    """The configuration file. `certificates`: the options that export client certificates.

    TLS 1.2 alone (the seed), AES-256-GCM, SHA256 and tls-auth, as in Azure's profile. openvpn
    looks up roots in a directory at each handshake (capath), so adding one needs no restart;
    admission checks again whether a root is still uploaded.
    """
    certificate = placement.serverCertificate
    first, *further = pool
    return "\n".join(
        (
            "mode server",
            "tls-server",
            f"dev {DEVICE}",
            "dev-type tun",
            "topology subnet",
            "proto tcp-server",
            f"local {placement.publicIPAddress}",
            f"port {PORT}",
            f"capath {state / 'roots'}",
            f"cert {certificate.certificate}",
            f"key {certificate.privateKey}",
            "dh none",
            f"tls-auth {state / 'tls-auth.key'} 0",
            "tls-version-min 1.2",
            "tls-version-max 1.2",
            f"tls-cipher {cipher_suites.AZURE}",
            "data-ciphers AES-256-GCM",
            "data-ciphers-fallback AES-256-GCM",
            "auth SHA256",
            f"ifconfig {gateway_address(first)} {first.netmask}",
            *(f"route {part.network_address} {part.netmask}" for part in further),
            f"keepalive {PING} {PING_RESTART}",
            # The prefix of each log line. The common name would be chosen by the client, and may
            # be missing.
            "x509-username-field serialNumber",
            "duplicate-cn",
            f"max-clients {MAX_CLIENTS}",
            f"hand-window {HANDSHAKE_WINDOW}",
            "disable-dco",
            "tcp-nodelay",
            f"management {state / 'management.sock'} unix",
            "management-client",
            "management-hold",  # until the gateway has subscribed to state changes
            "management-client-auth",
            "auth-user-pass-optional",
            *certificates,
            "verb 3",
            "",
        )
    )


def gateway_address(part: IPv4Network) -> IPv4Address:
    """The gateway's end of the tunnel: the first address of a pool part."""
    return part.network_address + 1


def client(settings: Settings, address: IPv4Address) -> tuple[str, ...]:
    """The configuration for one admitted client."""
    part = next(part for part in settings.pool if address in part)
    return (
        f"ifconfig-push {address} {part.netmask}",
        'push "topology subnet"',
        f'push "route-gateway {gateway_address(part)}"',
        *(f'push "route {r.network_address} {r.netmask}"' for r in settings.routes),
        *(f'push "dhcp-option DNS {server}"' for server in settings.dns),
    )


def static_key(material: bytes) -> str:
    """256 random bytes in OpenVPN's static key file format (as by `openvpn --genkey`)."""
    text = material.hex()
    rows = [text[start : start + 32] for start in range(0, len(text), 32)]
    begin, end = "-----BEGIN OpenVPN Static key V1-----", "-----END OpenVPN Static key V1-----"
    return "\n".join((begin, *rows, end, ""))
