"""What Azure refuses, one function a rule, each with the sentence that it stands on.

Sources: "seed" is seed/about-point-to-site-vpn.txt; other sources are named articles of
azure-docs. Rules of this lab itself say `NOT_YET` and that they are the lab's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from gateway.resource import NOT_YET, VpnClientConfiguration
from gateway.sku import LEGACY_SKU, SKUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.resource import NamedSubResource, VirtualNetworkGateway

Path = tuple[str | int, ...]
Prefix = IPv4Network | IPv6Network

MAXIMUM_ROOTS = 20
SMALLEST_POOL = 29
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))

_CLIENT: Path = ("vpnClientConfiguration",)
_ROOTS: Path = (*_CLIENT, "vpnClientRootCertificates")
_REVOKED: Path = (*_CLIENT, "vpnClientRevokedCertificates")
_POOL: Path = (*_CLIENT, "vpnClientAddressPool", "addressPrefixes")
_PROTOCOLS: Path = (*_CLIENT, "vpnClientProtocols")
_AUTHENTICATION: Path = (*_CLIENT, "vpnAuthenticationTypes")

_LAB = "this lab's own limit, not Azure's"
_TROUBLESHOOT = "azure-docs vpn-gateway-troubleshoot-vpn-point-to-site-connection-problems"
_POOL_ARTICLE = "azure-docs vpn-gateway-client-address-pool"


@dataclass(frozen=True)
class Network:
    """What the gateway stands in: the VNet's prefixes and, known ones, of connected sites."""

    addressPrefixes: tuple[str, ...]
    sitePrefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Violation:
    """One thing that Azure refuses; `path` starts at `properties`."""

    path: Path
    message: str
    remedy: str
    source: str


@dataclass(frozen=True)
class _Case:
    gateway: VirtualNetworkGateway
    network: Network
    placeholders: bool

    @property
    def client(self) -> VpnClientConfiguration:
        """An empty configuration stands for none: its rules find nothing to refuse."""
        return self.gateway.properties.vpnClientConfiguration or VpnClientConfiguration()


def violations(
    gateway: VirtualNetworkGateway, network: Network, *, placeholders: bool = False
) -> list[Violation]:
    """Everything that is wrong with the document, in the order of the rules.

    `placeholders` accepts `${NAME.publicCertData}` and `${NAME.thumbprint}`, as topology files
    have them before the certificates are made.
    """
    case = _Case(gateway, network, placeholders)
    rules = RULES if gateway.properties.vpnClientConfiguration else GATEWAY_RULES
    return [violation for rule in rules for violation in rule(case)]


# ----------------------------------------------------------------- the gateway as a whole


def vpn_gateway_only(case: _Case) -> Iterator[Violation]:
    """The lab has VPN gateways only."""
    if case.gateway.properties.gatewayType != "Vpn":
        kind = case.gateway.properties.gatewayType
        yield Violation(("gatewayType",), f"{kind}: {NOT_YET}", "use Vpn", _LAB)


def route_based_only(case: _Case) -> Iterator[Violation]:
    """Point-to-site needs a route-based gateway."""
    if case.gateway.properties.vpnType == "PolicyBased":
        yield Violation(
            ("vpnType",),
            "a PolicyBased gateway has no point-to-site connections",
            "use RouteBased",
            "seed: We do not support Point-to-Site for static routing VPN gateways or "
            "PolicyBased VPN gateways.",
        )


def basic_has_no_bgp(case: _Case) -> Iterator[Violation]:
    """BGP, by the SKU table."""
    properties = case.gateway.properties
    if properties.enableBgp and not SKUS[properties.sku.name].bgp:
        yield Violation(
            ("enableBgp",),
            f"the {properties.sku.name} SKU does not support BGP",
            "use VpnGw1 or above",
            "seed: table of gateway SKUs, column BGP: Basic Not Supported",
        )
    elif properties.enableBgp:
        yield Violation(("enableBgp",), f"BGP: {NOT_YET}", "leave it out", _LAB)


def no_active_active(case: _Case) -> Iterator[Violation]:
    """Two active instances."""
    if case.gateway.properties.activeActive:
        yield Violation(("activeActive",), f"active-active: {NOT_YET}", "leave it out", _LAB)


def tier_is_name(case: _Case) -> Iterator[Violation]:
    """Name and tier of a SKU are one word said twice."""
    sku = case.gateway.properties.sku
    if sku.tier is not None and sku.tier != sku.name:
        yield Violation(
            ("sku", "tier"),
            f"tier {sku.tier} does not match the SKU's name {sku.name}",
            f"write {sku.name} or leave it out",
            "azure-rest-api-specs virtualNetworkGateway.json, VirtualNetworkGatewaySku",
        )


def stands_in_gateway_subnet(case: _Case) -> Iterator[Violation]:
    """Azure finds the gateway's subnet by its name."""
    for index, configuration in enumerate(case.gateway.properties.ipConfigurations):
        subnet = configuration.properties.subnet
        if subnet and subnet.id.rsplit("/", 1)[-1] != "GatewaySubnet":
            yield Violation(
                ("ipConfigurations", index, "properties", "subnet", "id"),
                f"{subnet.id} is not a gateway subnet",
                "the subnet must be called GatewaySubnet",
                "azure-docs vpn-gateway-vpn-faq: the subnet must be named 'GatewaySubnet'",
            )


def custom_routes_are_prefixes(case: _Case) -> Iterator[Violation]:
    """Prefixes that clients are told to send into the tunnel beside the VNet's."""
    routes = case.gateway.properties.customRoutes
    path = ("customRoutes", "addressPrefixes")
    for index, text in enumerate(routes.addressPrefixes if routes else ()):
        if _prefix(text) is None:
            yield _not_a_prefix((*path, index), text)


# ------------------------------------------------------------------ protocols and who checks


def has_a_protocol(case: _Case) -> Iterator[Violation]:
    """Point-to-site without a tunnel type is nothing."""
    if not case.client.vpnClientProtocols:
        yield Violation(
            _PROTOCOLS,
            "no tunnel type is enabled",
            "name at least one of IkeV2, OpenVPN",
            "seed: Point-to-site VPN can use one of the following protocols",
        )


def basic_has_no_ikev2(case: _Case) -> Iterator[Violation]:
    """Basic carries SSTP only."""
    if case.gateway.properties.sku.name != LEGACY_SKU:
        return
    sources = {
        "IkeV2": "seed: The Basic SKU does not support IKEv2 or RADIUS authentication.",
        "OpenVPN": "seed: table of gateway SKUs, P2S IKEv2/OpenVPN Connections: Not Supported",
    }
    for index, protocol in enumerate(case.client.vpnClientProtocols):
        if protocol in sources:
            yield Violation(
                (*_PROTOCOLS, index),
                f"the Basic SKU does not support {protocol}",
                "use VpnGw1 or above",
                sources[protocol],
            )


def basic_has_no_radius(case: _Case) -> Iterator[Violation]:
    """Basic checks certificates only."""
    if case.gateway.properties.sku.name == LEGACY_SKU and _radius(case):
        yield Violation(
            _AUTHENTICATION,
            "the Basic SKU does not support RADIUS authentication",
            "use VpnGw1 or above",
            "seed: The Basic SKU does not support IKEv2 or RADIUS authentication.",
        )


def openvpn_has_no_radius(case: _Case) -> Iterator[Violation]:
    """The seed's time; later Azure supports it."""
    if "OpenVPN" in case.client.vpnClientProtocols and _radius(case):
        yield Violation(
            _AUTHENTICATION,
            "OpenVPN is not supported with RADIUS authentication",
            "use IkeV2, or Certificate",
            "seed: OpenVPN® Protocol is not supported with RADIUS authentication.",
        )


def no_sstp_beside_openvpn(case: _Case) -> Iterator[Violation]:
    """Both want TCP 443 of the one public address."""
    if {"SSTP", "OpenVPN"} <= set(case.client.vpnClientProtocols):
        yield Violation(
            _PROTOCOLS,
            "SSTP and OpenVPN cannot be enabled on one gateway together",
            "IkeV2 goes with either of them",
            "azure-docs ikev2-openvpn-from-sstp",
        )


def no_sstp_yet(case: _Case) -> Iterator[Violation]:
    """The SSTP engine is still to come."""
    for index, protocol in enumerate(case.client.vpnClientProtocols):
        if protocol == "SSTP":
            yield Violation((*_PROTOCOLS, index), f"SSTP: {NOT_YET}", "use IkeV2 or OpenVPN", _LAB)


def certificates_only_yet(case: _Case) -> Iterator[Violation]:
    """RADIUS and Entra ID are still to come."""
    for index, kind in enumerate(case.client.vpnAuthenticationTypes):
        if kind != "Certificate":
            yield Violation(
                (*_AUTHENTICATION, index), f"{kind}: {NOT_YET}", "use Certificate", _LAB
            )
    for name in ("radiusServerAddress", "radiusServerSecret", "radiusServers"):
        if getattr(case.client, name):
            yield Violation((*_CLIENT, name), f"RADIUS: {NOT_YET}", "leave it out", _LAB)


def nothing_named_twice(case: _Case) -> Iterator[Violation]:
    """A protocol or way of authentication said twice is a mistake."""
    for path, words in (
        (_PROTOCOLS, case.client.vpnClientProtocols),
        (_AUTHENTICATION, case.client.vpnAuthenticationTypes),
    ):
        for index, word in enumerate(words):
            if word in words[:index]:
                yield Violation(
                    (*path, index), f"{word} is named twice", "name it once", "ARM: a set"
                )


# ---------------------------------------------------------------------------- certificates


def certificate_needs_a_root(case: _Case) -> Iterator[Violation]:
    """Nobody could connect; `Certificate` is what Azure assumes when nothing is said."""
    kinds = case.client.vpnAuthenticationTypes or ("Certificate",)
    if "Certificate" in kinds and not case.client.vpnClientRootCertificates:
        yield Violation(
            _ROOTS,
            "certificate authentication needs a root certificate",
            "upload the root of the client certificates",
            "seed: The root certificate is required for the validation and must be uploaded "
            "to Azure.",
        )


def at_most_20_roots(case: _Case) -> Iterator[Violation]:
    """The number of roots."""
    count = len(case.client.vpnClientRootCertificates)
    if count > MAXIMUM_ROOTS:
        yield Violation(
            _ROOTS,
            f"{count} root certificates, {MAXIMUM_ROOTS} are allowed",
            "use an enterprise root with intermediates instead of many roots",
            "seed: You can still upload 20 root certificates.",
        )


def certificate_names(case: _Case) -> Iterator[Violation]:
    """Names of roots and of revoked certificates."""
    lists: tuple[tuple[Path, tuple[NamedSubResource, ...]], ...] = (
        (_ROOTS, case.client.vpnClientRootCertificates),
        (_REVOKED, case.client.vpnClientRevokedCertificates),
    )
    for path, entries in lists:
        count = Counter(entry.name.lower() for entry in entries)
        for index, entry in enumerate(entries):
            if not entry.name or re.search(r"\s", entry.name):
                yield Violation(
                    (*path, index, "name"),
                    f"Resource name {entry.name} is invalid",
                    "a name without spaces",
                    _TROUBLESHOOT,
                )
            elif count[entry.name.lower()] > 1:
                yield Violation(
                    (*path, index, "name"),
                    f"the name {entry.name} is used twice",
                    "names are unique without regard to case",
                    "azure-docs resource naming: sub-resources of one parent",
                )


def root_data(case: _Case) -> Iterator[Violation]:
    """Base64 of the DER of an X.509 certificate, on one line."""
    for index, root in enumerate(case.client.vpnClientRootCertificates):
        data = root.properties.publicCertData
        if case.placeholders and _placeholder(data, "publicCertData"):
            continue
        flaw = _certificate_flaw(data)
        if flaw:
            yield Violation(
                (*_ROOTS, index, "properties", "publicCertData"),
                f"Data for certificate {root.name} is invalid: {flaw}",
                "the Base64 text of the certificate on one line, without BEGIN and END lines",
                f"{_TROUBLESHOOT}; seed: be sure to convert the root certificate to Base64.",
            )


def thumbprints(case: _Case) -> Iterator[Violation]:
    """SHA-1 of the DER, in hexadecimal."""
    for index, revoked in enumerate(case.client.vpnClientRevokedCertificates):
        text = revoked.properties.thumbprint
        if case.placeholders and _placeholder(text, "thumbprint"):
            continue
        if not re.fullmatch(r"[0-9A-Fa-f]{40}", text):
            yield Violation(
                (*_REVOKED, index, "properties", "thumbprint"),
                f"{text!r} is not a thumbprint",
                "40 hexadecimal digits without spaces or colons: SHA-1 of the certificate",
                "azure-docs vpn-gateway-howto-point-to-site-rm-ps: revoke a client certificate",
            )


# ---------------------------------------------------------------------------------- the pool


def pool_is_there(case: _Case) -> Iterator[Violation]:
    """Clients need addresses."""
    if not case.client.vpnClientAddressPool.addressPrefixes:
        yield Violation(
            _POOL,
            "no client address pool",
            "a private prefix outside the VNet, as 172.16.201.0/24",
            _POOL_ARTICLE,
        )


def pool_prefixes(case: _Case) -> Iterator[Violation]:
    """Private IPv4 prefixes, large enough."""
    for index, text in enumerate(case.client.vpnClientAddressPool.addressPrefixes):
        prefix, path = _prefix(text), (*_POOL, index)
        if prefix is None:
            yield _not_a_prefix(path, text)
        elif not isinstance(prefix, IPv4Network):
            yield Violation(path, f"an IPv6 pool: {NOT_YET}", "an IPv4 prefix", _LAB)
        elif not any(prefix.subnet_of(private) for private in PRIVATE):
            yield Violation(
                path,
                f"{prefix} is not a private address range",
                "a prefix of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
                "azure-docs vpn-gateway-howto-point-to-site-resource-manager-portal: "
                "a range of private IP addresses that you specify",
            )
        elif prefix.prefixlen > SMALLEST_POOL:
            yield Violation(
                path,
                f"{prefix} is too small",
                f"/{SMALLEST_POOL} or larger",
                f"{_POOL_ARTICLE}: minimum /29 for active-standby",
            )


def pool_overlaps_nothing(case: _Case) -> Iterator[Violation]:
    """Neither the VNet, nor a connected site, nor another prefix of the pool."""
    texts = case.client.vpnClientAddressPool.addressPrefixes
    pool = [(index, prefix) for index, text in enumerate(texts) if (prefix := _prefix(text))]
    for index, prefix in pool:
        others = [("the virtual network's", text) for text in case.network.addressPrefixes]
        others += [("the site's", text) for text in case.network.sitePrefixes]
        others += [("the pool's own", str(other)) for i, other in pool if i < index]
        for whose, text in others:
            other = _prefix(text)
            if other and prefix.version == other.version and prefix.overlaps(other):
                yield Violation(
                    (*_POOL, index),
                    f"{prefix} overlaps {whose} {other}",
                    "a prefix that nothing else uses",
                    f"{_POOL_ARTICLE}: must not overlap with the on-premises location or the "
                    "virtual network",
                )


# ------------------------------------------------------------------------------------ helpers


def _radius(case: _Case) -> bool:
    return "Radius" in case.client.vpnAuthenticationTypes


def _placeholder(text: str, attribute: str) -> bool:
    return re.fullmatch(rf"\$\{{[^\s${{}}]+\.{attribute}\}}", text) is not None


def _prefix(text: str) -> Prefix | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _not_a_prefix(path: Path, text: str) -> Violation:
    return Violation(
        path,
        f"{text!r} is not a prefix",
        "network address and length, as 172.16.201.0/24, without host bits",
        "azure-rest-api-specs: AddressSpace in CIDR notation",
    )


def _certificate_flaw(data: str) -> str | None:
    """What is wrong with a publicCertData, or None."""
    if data.startswith("-----BEGIN"):
        return "it has BEGIN and END lines"
    if re.search(r"\s", data):
        return "it has line breaks or spaces"
    try:
        der = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return "it is not Base64"
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 - 60 ms, seldom used

    try:
        load_der_x509_certificate(der).public_key()
    except Exception as error:  # noqa: BLE001 - any failure of a foreign parser means: not one
        return f"not an X.509 certificate ({str(error).splitlines()[0] if str(error) else error!r})"
    return None


GATEWAY_RULES: tuple[Callable[[_Case], Iterator[Violation]], ...] = (
    vpn_gateway_only,
    basic_has_no_bgp,
    no_active_active,
    tier_is_name,
    stands_in_gateway_subnet,
    custom_routes_are_prefixes,
)
RULES: tuple[Callable[[_Case], Iterator[Violation]], ...] = (
    *GATEWAY_RULES,
    route_based_only,
    has_a_protocol,
    nothing_named_twice,
    basic_has_no_ikev2,
    basic_has_no_radius,
    openvpn_has_no_radius,
    no_sstp_beside_openvpn,
    no_sstp_yet,
    certificates_only_yet,
    certificate_needs_a_root,
    at_most_20_roots,
    certificate_names,
    root_data,
    thumbprints,
    pool_is_there,
    pool_prefixes,
    pool_overlaps_nothing,
)
