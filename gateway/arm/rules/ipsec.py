"""Rules about IPsec policies, of point-to-site clients and of connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.arm.ipsec import MOST
from gateway.arm.rules.case import CLIENT, LAB, Path, Violation
from gateway.arm.sku import BASIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.arm.resource import GatewayProperties
    from gateway.arm.rules.case import Case

_ARTICLE = "azure-docs vpn-gateway-ipsecikepolicy-rm-powershell"
_SMALLEST_SECONDS, _SMALLEST_KILOBYTES = 300, 1024


@dataclass(frozen=True)
class _Kind:
    """What Azure documents for one kind of policy."""

    words: Mapping[str, tuple[str, ...]]
    """The values of a field, where they are fewer than ARM's."""
    longest: int
    """Seconds."""
    source: str


# DHGroup2048, PFS2048 and PFS14 are further words for group 14, which both kinds have.
_HASHES_OF_IKE = ("MD5", "SHA1", "SHA256", "SHA384")
_OF_CLIENTS = _Kind(
    words={
        "ikeEncryption": ("GCMAES256", "GCMAES128", "AES256", "AES128"),
        "ikeIntegrity": ("SHA384", "SHA256"),
        "ipsecEncryption": ("GCMAES256", "GCMAES128", "AES256", "AES128"),
        "ipsecIntegrity": ("GCMAES256", "GCMAES128", "SHA256"),
        "dhGroup": ("DHGroup24", "ECP384", "ECP256", "DHGroup14", "DHGroup2048", "DHGroup2"),
        "pfsGroup": (
            "PFS24", "PFSMM", "ECP384", "ECP256", "PFS14", "PFS2048", "PFS2", "None",
        ),
    },
    longest=172_799,
    source="azure-powershell New-AzVpnClientIpsecPolicy: accepted values",
)  # fmt: skip
_OF_CONNECTIONS = _Kind(words={"ikeIntegrity": _HASHES_OF_IKE}, longest=MOST, source=_ARTICLE)


def client_policy(case: Case) -> Iterator[Violation]:
    """The policy of point-to-site clients, which concerns IKEv2 alone."""
    policies = case.client.vpnClientIpsecPolicies
    path: Path = (*CLIENT, "vpnClientIpsecPolicies")
    yield from _policies(policies, path, _OF_CLIENTS, case.gateway.properties)
    if policies and "IkeV2" not in case.client.vpnClientProtocols:
        yield Violation(
            path,
            "an IPsec policy, but no IkeV2: the policy has no effect",
            "add IkeV2 to vpnClientProtocols, or leave the policy out",
            LAB,
        )


def connection_policies(
    policies: Sequence[IpsecPolicy], gateway: GatewayProperties
) -> Iterator[Violation]:
    """Violations of a connection's policies; paths start at the connection's `properties`."""
    yield from _policies(policies, ("ipsecPolicies",), _OF_CONNECTIONS, gateway)


def _policies(
    policies: Sequence[IpsecPolicy], path: Path, kind: _Kind, gateway: GatewayProperties
) -> Iterator[Violation]:
    if policies and gateway.sku.name == BASIC:
        yield Violation(
            path,
            "the Basic SKU does not support IPsec policies",
            "use VpnGw1 or above, or leave the policy out",
            f"{_ARTICLE}: VpnGw1~5, VpnGw1AZ~5AZ, Standard and HighPerformance",
        )
    for index in range(1, len(policies)):
        yield Violation(
            (*path, index),
            "a second IPsec policy",
            "name one policy",
            f"{_ARTICLE}: you can only specify one policy combination",
        )
    for index, policy in enumerate(policies):
        yield from _policy(policy, (*path, index), kind)


def _policy(policy: IpsecPolicy, path: Path, kind: _Kind) -> Iterator[Violation]:
    for field, words in kind.words.items():
        word = getattr(policy, field)
        if word not in words:
            yield Violation(
                (*path, field), f"{word} is not supported here", _one_of(words), kind.source
            )
    for field, least, most in (
        ("saLifeTimeSeconds", _SMALLEST_SECONDS, kind.longest),
        ("saDataSizeKilobytes", _SMALLEST_KILOBYTES, MOST),
    ):
        number = getattr(policy, field)
        if not least <= number <= most:
            yield Violation(
                (*path, field),
                f"{number} is out of range",
                f"a number from {least} to {most}",
                kind.source,
            )
    if policy.dhGroup == "None" and "dhGroup" not in kind.words:
        yield Violation(
            (*path, "dhGroup"),
            "IKEv2 needs a Diffie-Hellman group",
            "name one, such as DHGroup14",
            "RFC 7296, section 1.2: IKE_SA_INIT has a key exchange payload",
        )
    gcm = [w for w in (policy.ipsecEncryption, policy.ipsecIntegrity) if w.startswith("GCM")]
    if gcm and policy.ipsecEncryption != policy.ipsecIntegrity:
        yield Violation(
            (*path, "ipsecIntegrity"),
            f"{policy.ipsecEncryption} with {policy.ipsecIntegrity}: GCM is both encryption and "
            "integrity",
            f"write {gcm[0]} for both, or for neither",
            f"{_ARTICLE}: the same GCMAES algorithm and key length for both",
        )


def _one_of(words: Sequence[str]) -> str:
    return f"one of {', '.join(words)}"
