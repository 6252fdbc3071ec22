"""Rules about RADIUS servers."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from gateway.arm.rules.case import AUTHENTICATION, CLIENT, LAB, Path, Violation
from radius.printable import is_printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from gateway.arm.rules.case import Case

ADDRESS: Path = (*CLIENT, "radiusServerAddress")
SECRET: Path = (*CLIENT, "radiusServerSecret")
SERVERS: Path = (*CLIENT, "radiusServers")
MAXIMUM_SERVERS = 2
MAXIMUM_SCORE = 30
LONGEST_SECRET = 128
_SPECIFICATION = "azure-rest-api-specs virtualNetworkGateway.json: VpnClientConfiguration, "


def radius_has_a_server(case: Case) -> Iterator[Violation]:
    """A RADIUS server is named, in one of ARM's two ways."""
    client = case.client
    if wanted(case) and not (client.radiusServerAddress or client.radiusServers):
        yield Violation(
            AUTHENTICATION,
            "RADIUS authentication needs a RADIUS server",
            "add radiusServerAddress and radiusServerSecret, or radiusServers",
            "seed: Gateway reachability to the RADIUS server is important.",
        )
    if client.radiusServers and (client.radiusServerAddress or client.radiusServerSecret):
        yield Violation(
            SERVERS,
            "RADIUS servers are given in two ways",
            "name all of them in radiusServers, or one in radiusServerAddress",
            LAB,
        )


def radius_servers_are_used(case: Case) -> Iterator[Violation]:
    """RADIUS servers without RADIUS authentication are refused, not ignored."""
    if wanted(case):
        return
    for name in ("radiusServerAddress", "radiusServerSecret", "radiusServers"):
        if getattr(case.client, name):
            yield Violation(
                (*CLIENT, name), "no RADIUS authentication is enabled",
                "leave it out, or write [Radius] for vpnAuthenticationTypes", LAB,
            )  # fmt: skip


def radius_stands_alone(case: Case) -> Iterator[Violation]:
    """Azure documents two authentication types on one gateway for OpenVPN only."""
    if wanted(case) and len(set(case.client.vpnAuthenticationTypes)) > 1:
        yield Violation(
            AUTHENTICATION,
            "RADIUS and certificate authentication cannot be enabled on one gateway together",
            "choose one, and leave out what belongs to the other",
            "azure-docs vpn-gateway-vpn-faq: several authentication types need OpenVPN",
        )


def radius_server_addresses(case: Case) -> Iterator[Violation]:
    """Server addresses are unique IPv4 addresses."""
    seen: set[str] = set()
    for path, text in addresses(case):
        try:
            IPv4Address(text)
        except AddressValueError:
            yield Violation(
                path,
                f"{text!r} is not an IPv4 address",
                "the server's address in the VNet or at the site, such as 192.168.50.10",
                f"{_SPECIFICATION}radiusServerAddress",
            )
        if text in seen:
            yield Violation(path, f"{text} is named twice", "name it once", LAB)
        seen.add(text)


def radius_server_number(case: Case) -> Iterator[Violation]:
    """At most a primary and a secondary server, with scores within range."""
    servers = case.client.radiusServers
    if len(servers) > MAXIMUM_SERVERS:
        yield Violation(
            SERVERS,
            f"{len(servers)} RADIUS servers, {MAXIMUM_SERVERS} are allowed",
            "name a primary and a secondary server",
            "azure-docs point-to-site-radius-gateway: primary and secondary server",
        )
    for index, server in enumerate(servers):
        score = server.radiusServerScore
        if score is not None and not 1 <= score <= MAXIMUM_SCORE:
            yield Violation(
                (*SERVERS, index, "radiusServerScore"),
                f"a score of {score}",
                f"use 1 to {MAXIMUM_SCORE}; the server with the higher score is tried first",
                "azure-powershell New-AzRadiusServer: RadiusServerScore",
            )


def radius_server_secrets(case: Case) -> Iterator[Violation]:
    """Each server has a shared secret; messages never contain its text."""
    for path, secret in secrets(case):
        text = secret.get_secret_value() if secret else ""
        if not text or len(text) > LONGEST_SECRET or not text.isascii() or not is_printable(text):
            yield Violation(
                path,
                "the shared secret is missing" if not text else "the shared secret cannot be used",
                f"1 to {LONGEST_SECRET} printable ASCII characters",
                f"{_SPECIFICATION}radiusServerSecret; RFC 2865 section 3",
            )


def wanted(case: Case) -> bool:
    """Whether users authenticate by RADIUS."""
    return "Radius" in case.client.vpnAuthenticationTypes


def addresses(case: Case) -> Iterator[tuple[Path, str]]:
    """The address of each server, with its path."""
    if case.client.radiusServerAddress is not None:
        yield ADDRESS, case.client.radiusServerAddress
    for index, server in enumerate(case.client.radiusServers):
        yield (*SERVERS, index, "radiusServerAddress"), server.radiusServerAddress


def secrets(case: Case) -> Iterator[tuple[Path, SecretStr | None]]:
    """The secret of each server, with its path."""
    if case.client.radiusServerAddress is not None:
        yield SECRET, case.client.radiusServerSecret
    for index, server in enumerate(case.client.radiusServers):
        yield (*SERVERS, index, "radiusServerSecret"), server.radiusServerSecret
