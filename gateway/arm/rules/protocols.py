"""Rules about tunnel types and authentication types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arm.resource import NOT_YET
from gateway.arm.rules.case import AUTHENTICATION, LAB, PROTOCOLS, Violation
from gateway.arm.sku import BASIC, SKUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.arm.rules.case import Case


def has_a_protocol(case: Case) -> Iterator[Violation]:
    """Point-to-site needs a tunnel type."""
    if not case.client.vpnClientProtocols:
        yield Violation(
            PROTOCOLS,
            "no tunnel type is enabled",
            "name at least one of IkeV2, SSTP, OpenVPN; Azure does not document which it takes",
            "seed: Point-to-site VPN can use one of the following protocols",
        )


def basic_has_no_ikev2(case: Case) -> Iterator[Violation]:
    """Basic supports SSTP only."""
    if case.gateway.properties.sku.name != BASIC:
        return
    sources = {
        "IkeV2": "seed: The Basic SKU does not support IKEv2 or RADIUS authentication.",
        "OpenVPN": "seed: table of gateway SKUs, P2S IKEv2/OpenVPN Connections: Not Supported",
    }
    for index, protocol in enumerate(case.client.vpnClientProtocols):
        if protocol in sources:
            yield Violation(
                (*PROTOCOLS, index),
                f"the Basic SKU does not support {protocol}",
                "use VpnGw1 or above",
                sources[protocol],
            )


def legacy_has_no_ikev2_yet(case: Case) -> Iterator[Violation]:
    """No source says how many such connections Standard and HighPerformance have."""
    sku = SKUS[case.gateway.properties.sku.name]
    if sku.name == BASIC or not sku.legacy:
        return
    for index, protocol in enumerate(case.client.vpnClientProtocols):
        if protocol != "SSTP":
            yield Violation(
                (*PROTOCOLS, index),
                f"{protocol} with the legacy SKU {sku.name}, for which Azure documents no number "
                f"of connections: {NOT_YET}",
                "use SSTP, or VpnGw1 or above",
                LAB,
            )


def basic_has_no_radius(case: Case) -> Iterator[Violation]:
    """Basic supports certificate authentication only."""
    if case.gateway.properties.sku.name == BASIC and _radius(case):
        yield Violation(
            AUTHENTICATION,
            "the Basic SKU does not support RADIUS authentication",
            "use VpnGw1 or above",
            "seed: The Basic SKU does not support IKEv2 or RADIUS authentication.",
        )


def openvpn_has_no_radius(case: Case) -> Iterator[Violation]:
    """As in the seed; Azure supports it now."""
    if "OpenVPN" in case.client.vpnClientProtocols and _radius(case):
        yield Violation(
            AUTHENTICATION,
            "OpenVPN is not supported with RADIUS authentication",
            "use IkeV2 or SSTP, or Certificate",
            "seed: OpenVPN® Protocol is not supported with RADIUS authentication.",
        )


def no_sstp_beside_openvpn(case: Case) -> Iterator[Violation]:
    """Both want TCP 443 of the one public address."""
    if {"SSTP", "OpenVPN"} <= set(case.client.vpnClientProtocols):
        yield Violation(
            PROTOCOLS,
            "SSTP and OpenVPN cannot be enabled on one gateway together",
            "enable one of them; IkeV2 works with either",
            "azure-docs ikev2-openvpn-from-sstp",
        )


def classic_has_sstp_only(case: Case) -> Iterator[Violation]:
    """The older deployment model supports SSTP only."""
    for index, protocol in enumerate(case.client.vpnClientProtocols):
        if case.deployment == "Classic" and protocol != "SSTP":
            yield Violation(
                (*PROTOCOLS, index),
                f"the classic deployment model does not support {protocol}",
                "use the Resource Manager deployment model",
                "seed: IKEv2 and OpenVPN for P2S are available for the Resource Manager "
                "deployment model only.",
            )


def classic_has_no_radius(case: Case) -> Iterator[Violation]:
    """The older deployment model supports certificate authentication only."""
    if case.deployment == "Classic" and _radius(case):
        yield Violation(
            AUTHENTICATION,
            "the classic deployment model does not support RADIUS authentication",
            "use the Resource Manager deployment model",
            "seed: RADIUS authentication is not supported for the classic deployment model.",
        )


def nothing_named_twice(case: Case) -> Iterator[Violation]:
    """A duplicate protocol or authentication type is a mistake."""
    for path, words in (
        (PROTOCOLS, case.client.vpnClientProtocols),
        (AUTHENTICATION, case.client.vpnAuthenticationTypes),
    ):
        for index, word in enumerate(words):
            if word in words[:index]:
                yield Violation(
                    (*path, index), f"{word} is named twice", "name it once", "ARM: a set"
                )


def _radius(case: Case) -> bool:
    return "Radius" in case.client.vpnAuthenticationTypes
