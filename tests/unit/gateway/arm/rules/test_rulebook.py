"""Every rule refuses its violation, and a valid document passes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.arm.resource import NOT_YET, VirtualNetworkGateway
from gateway.arm.rules.rulebook import RULES, Network, Violation, violations
from gateway.arm.sku import SKUS, SkuName
from tests.unit.gateway.arm.test_ipsec import POLICY
from tests.unit.gateway.conftest import NOW

NETWORK = Network(("10.1.0.0/16",), sitePrefixes=("192.168.50.0/24",))


def judge(document: dict[str, Any], **options: Any) -> list[Violation]:
    return violations(VirtualNetworkGateway.model_validate(document), NETWORK, **options)


def roots(*entries: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": n, "properties": {"publicCertData": d}} for n, d in entries]


def revoked(*entries: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": n, "properties": {"thumbprint": t}} for n, t in entries]


def servers(*entries: tuple[str, int]) -> list[dict[str, Any]]:
    return [
        {"radiusServerAddress": a, "radiusServerScore": score, "radiusServerSecret": "x"}
        for a, score in entries
    ]


def pool(*prefixes: str) -> dict[str, Any]:
    return {"addressPrefixes": list(prefixes)}


def nameless() -> str:
    """A self-signed certificate without a subject."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW)
    made = builder.sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # rule: (changes of properties, changes of the client configuration, path, words)
    "vpn_gateway_only": ({"gatewayType": "ExpressRoute"}, {}, "gatewayType", NOT_YET),
    "route_based_only": ({"vpnType": "PolicyBased"}, {}, "vpnType", "PolicyBased"),
    "basic_has_no_bgp": (
        {"enableBgp": True, "sku": {"name": "Basic"}},
        {},
        "enableBgp",
        "does not support BGP",
    ),
    "legacy_has_no_ikev2_yet": (
        {"sku": {"name": "Standard"}},
        {"vpnClientProtocols": ["IkeV2"]},
        "vpnClientProtocols.0",
        NOT_YET,
    ),
    "tier_is_name": (
        {"sku": {"name": "VpnGw1", "tier": "VpnGw2"}},
        {},
        "sku.tier",
        "does not match",
    ),
    "stands_in_gateway_subnet": (
        {"ipConfigurations": [{"name": "a", "properties": {"subnet": {"id": "/subnets/app"}}}]},
        {},
        "ipConfigurations.0.properties.subnet.id",
        "not a gateway subnet",
    ),
    "custom_routes_are_prefixes": (
        {"customRoutes": pool("192.168.50.1/24")},
        {},
        "customRoutes.addressPrefixes.0",
        "not a prefix",
    ),
    "has_a_protocol": ({}, {"vpnClientProtocols": []}, "vpnClientProtocols", "no tunnel type"),
    "nothing_named_twice": (
        {},
        {"vpnClientProtocols": ["IkeV2", "IkeV2"]},
        "vpnClientProtocols.1",
        "named twice",
    ),
    "basic_has_no_ikev2": (
        {"sku": {"name": "Basic"}},
        {"vpnClientProtocols": ["IkeV2"]},
        "vpnClientProtocols.0",
        "Basic SKU does not support IkeV2",
    ),
    "basic_has_no_radius": (
        {"sku": {"name": "Basic"}},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "Basic SKU does not support RADIUS",
    ),
    "openvpn_has_no_radius": (
        {},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "OpenVPN is not supported with RADIUS",
    ),
    "no_sstp_beside_openvpn": (
        {},
        {"vpnClientProtocols": ["SSTP", "OpenVPN"]},
        "vpnClientProtocols",
        "SSTP and OpenVPN",
    ),
    "radius_has_a_server": (
        {},
        {"vpnAuthenticationTypes": ["Radius"]},
        "vpnAuthenticationTypes",
        "needs a RADIUS server",
    ),
    "client_policy": (
        {},
        {"vpnClientIpsecPolicies": [POLICY | {"ikeEncryption": "DES"}]},
        "vpnClientIpsecPolicies.0.ikeEncryption",
        "DES is not supported here",
    ),
    "radius_servers_are_used": (
        {},
        {"radiusServerAddress": "10.1.0.9"},
        "radiusServerAddress",
        "no RADIUS authentication is enabled",
    ),
    "radius_stands_alone": (
        {},
        {"vpnAuthenticationTypes": ["Radius", "Certificate"]},
        "vpnAuthenticationTypes",
        "cannot be enabled on one gateway together",
    ),
    "radius_server_addresses": (
        {},
        {"radiusServers": servers(("nps.corp.test", 1))},
        "radiusServers.0.radiusServerAddress",
        "not an IPv4 address",
    ),
    "radius_server_number": (
        {},
        {"radiusServers": servers(("10.1.0.9", 1), ("10.1.0.8", 31))},
        "radiusServers.1.radiusServerScore",
        "a score of 31",
    ),
    "radius_server_secrets": (
        {},
        {"radiusServerAddress": "10.1.0.9"},
        "radiusServerSecret",
        "the shared secret is missing",
    ),
    "certificate_needs_a_root": (
        {},
        {"vpnClientRootCertificates": []},
        "vpnClientRootCertificates",
        "needs a root",
    ),
    "at_most_20_roots": (
        {},
        {"vpnClientRootCertificates": roots(*((f"r{i}", "AAAA") for i in range(21)))},
        "vpnClientRootCertificates",
        "21 root certificates, 20 are allowed",
    ),
    "certificate_names": (
        {},
        {"vpnClientRevokedCertificates": revoked(("a b", "0" * 40))},
        "vpnClientRevokedCertificates.0.name",
        "Resource name a b is invalid",
    ),
    "root_data": (
        {},
        {"vpnClientRootCertificates": roots(("mine", "AAAA"))},
        "vpnClientRootCertificates.0.properties.publicCertData",
        "Data for certificate mine is invalid",
    ),
    "roots_issue_clients": (
        {},
        {"vpnClientRootCertificates": roots(("mine", nameless()))},
        "vpnClientRootCertificates.0.properties.publicCertData",
        "certificate mine is no root: its subject is empty",
    ),
    "thumbprints": (
        {},
        {"vpnClientRevokedCertificates": revoked(("a", "12:34"))},
        "vpnClientRevokedCertificates.0.properties.thumbprint",
        "not a thumbprint",
    ),
    "pool_is_there": (
        {},
        {"vpnClientAddressPool": pool()},
        "vpnClientAddressPool.addressPrefixes",
        "no client address pool",
    ),
    "pool_prefixes": (
        {},
        {"vpnClientAddressPool": pool("224.8.8.0/24")},
        "vpnClientAddressPool.addressPrefixes.0",
        "which no client can have",
    ),
    "pool_overlaps_nothing": (
        {},
        {"vpnClientAddressPool": pool("10.1.7.0/24")},
        "vpnClientAddressPool.addressPrefixes.0",
        "overlaps the virtual network's 10.1.0.0/16",
    ),
}


def dotted(violation: Violation) -> str:
    return ".".join(map(str, violation.path)).removeprefix("vpnClientConfiguration.")


def test_a_document_that_breaks_no_rule_passes(document: Any) -> None:
    assert judge(document()) == []


@pytest.mark.parametrize(
    ("sku", "protocols"),
    [("VpnGw1", ["SSTP"]), ("VpnGw1", ["IkeV2", "SSTP"]), ("Basic", ["SSTP"])],
)
def test_sstp_is_allowed_alone_with_ikev2_and_on_basic(
    document: Any, sku: str, protocols: list[str]
) -> None:
    assert judge(document({"sku": {"name": sku}}, vpnClientProtocols=protocols)) == []


def test_every_rule_has_a_case_here() -> None:
    classic = {"classic_has_legacy_skus", "classic_has_sstp_only", "classic_has_no_radius"}
    of_changes = {
        "sizes_that_a_gateway_changes_to",
        "connections_fit_the_new_size",
        "vpn_type_stays",
    }
    assert {rule.__name__ for rule in RULES} == set(BROKEN) | classic | of_changes


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_violation_has_the_path_of_its_field(rule: str, document: Any) -> None:
    properties, client, path, words = BROKEN[rule]
    found = judge(document(properties, **client))
    assert any(dotted(v) == path and words in v.message for v in found), found


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_violation_has_a_remedy_and_a_source(rule: str, document: Any) -> None:
    properties, client, _, _ = BROKEN[rule]
    for violation in judge(document(properties, **client)):
        assert violation.remedy
        assert violation.source


def test_all_violations_are_reported_at_once(document: Any) -> None:
    broken = document(
        {"vpnType": "PolicyBased"},
        vpnClientProtocols=[],
        vpnClientRootCertificates=[],
        vpnClientAddressPool=pool("nonsense"),
    )
    assert len(judge(broken)) == 4


def test_a_gateway_without_point_to_site_needs_no_client_configuration(document: Any) -> None:
    assert judge(document({"vpnClientConfiguration": None, "vpnType": "PolicyBased"})) == []


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        ("-----BEGIN CERTIFICATE-----", "PEM text that is cut off"),
        ("AAAA\nAAAA", "Base64 of something unknown"),
        ("€€€", "not Base64: '€' U+20AC EURO SIGN at character 1"),
        ("AAA", "Base64 of something unknown"),
        ("AAAAA", "Base64 that is cut off"),
        ("", "empty"),
        ("P2SRootCert.cer", "the name of a file"),
    ],
)
def test_the_flaw_of_root_data_is_named(data: str, flaw: str, document: Any) -> None:
    (violation,) = judge(document(vpnClientRootCertificates=roots(("mine", data))))
    assert violation.message.startswith("Data for certificate mine is invalid: it is ")
    assert flaw in violation.message


def test_line_breaks_and_pem_are_refused_and_spaces_taken(document: Any, pki: Any) -> None:
    """Azure's troubleshooting article, and the array of lines that PowerShell joins."""
    data = pki.data("root")
    lines = [data[at : at + 64] for at in range(0, len(data), 64)]
    for taken in (" ".join(lines), " ".join((*lines, "")), data.rstrip("=")):
        assert judge(document(vpnClientRootCertificates=roots(("mine", taken)))) == []
    pem = "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"))
    for refused in ("\n".join(lines), "\r\n".join(lines), data + "\n", pem, pem.replace("\n", " ")):
        (violation,) = judge(document(vpnClientRootCertificates=roots(("mine", refused))))
        assert violation.message.startswith("Data for certificate mine is invalid: ")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("alice", "a client certificate, issued by CN=root"),
        ("intermediate", "an intermediate authority, issued by CN=root"),
        ("server-only", "a certificate of no authority, issued by CN=root"),
    ],
)
def test_what_somebody_else_has_issued_is_no_root(
    document: Any, pki: Any, name: str, kind: str
) -> None:
    (violation,) = judge(document(vpnClientRootCertificates=roots(("mine", pki.data(name)))))
    assert violation.message == f"certificate mine is no root: it is {kind}"
    assert violation.remedy == "upload the certificate of CN=root"


def test_a_thumbprint_copied_from_windows_has_an_invisible_mark(document: Any) -> None:
    wrong = document(vpnClientRevokedCertificates=revoked(("bob", "\u200e" + "0" * 40)))
    (violation,) = judge(wrong)
    assert "it has the invisible U+200E LEFT-TO-RIGHT MARK at character 1" in violation.message


def test_20_roots_are_allowed(document: Any, pki: Any) -> None:
    data = pki.data("root")
    twenty = roots(*((f"root{i}", data) for i in range(20)))
    assert judge(document(vpnClientRootCertificates=twenty)) == []


def test_a_duplicate_name_is_reported_for_both(document: Any, pki: Any) -> None:
    twice = roots(("same", pki.data("root")), ("SAME", pki.data("other-root")))
    assert len(judge(document(vpnClientRootCertificates=twice))) == 2


@pytest.mark.parametrize(
    "prefix",
    [
        "172.16.0.0/30", "172.16.0.1/24", "fd00::/64", "0.0.0.0/0", "0.0.0.0/24", "127.1.0.0/16",
        "168.63.0.0/16", "169.254.7.0/24", "240.0.0.0/8", "255.255.255.0/24",
    ],
)  # fmt: skip
def test_pools_that_are_refused(prefix: str, document: Any) -> None:
    assert judge(document(vpnClientAddressPool=pool(prefix)))


def test_a_custom_route_is_ipv4(document: Any) -> None:
    (violation,) = judge(document({"customRoutes": pool("10.7.0.0/16", "2001:db8::/32")}))
    assert violation.path == ("customRoutes", "addressPrefixes", 1)
    assert "an IPv6 route" in violation.message


@pytest.mark.parametrize("prefix", ["172.16.0.0/29", "10.2.0.0/16", "201.169.0.0/16"])
def test_pools_that_are_accepted(prefix: str, document: Any) -> None:
    assert judge(document(vpnClientAddressPool=pool(prefix))) == []


def test_prefixes_of_the_pool_may_not_overlap_each_other_or_a_site(document: Any) -> None:
    found = judge(
        document(vpnClientAddressPool=pool("172.16.0.0/16", "172.16.5.0/24", "192.168.50.0/29"))
    )
    assert ["the pool's own" in v.message or "the site's" in v.message for v in found] == [True] * 2


def test_placeholders_stand_for_certificates_only_when_asked(document: Any) -> None:
    with_names = document(
        vpnClientRootCertificates=roots(("root", "${corp.publicCertData}")),
        vpnClientRevokedCertificates=revoked(("bob", "${bob.thumbprint}")),
    )
    assert judge(with_names, placeholders=True) == []
    assert len(judge(with_names)) == 2


def test_a_placeholder_of_the_wrong_kind_is_no_certificate(document: Any) -> None:
    wrong = document(vpnClientRootCertificates=roots(("root", "${corp.thumbprint}")))
    assert judge(wrong, placeholders=True)


RADIUS = {"vpnAuthenticationTypes": ["Radius"], "vpnClientProtocols": ["IkeV2"]}


def test_radius_needs_no_root(document: Any) -> None:
    wanted = {"radiusServers": servers(("10.1.0.9", 30), ("192.168.50.10", 1))}
    assert judge(document(**RADIUS, **wanted, vpnClientRootCertificates=[])) == []


def test_three_radius_servers_are_too_many(document: Any) -> None:
    three = servers(("10.1.0.9", 30), ("10.1.0.8", 2), ("10.1.0.7", 1))
    (violation,) = judge(document(**RADIUS, radiusServers=three))
    assert violation.message.startswith("3 RADIUS servers, 2 are allowed")


def test_radius_servers_are_given_in_one_way_only(document: Any) -> None:
    both = {"radiusServers": servers(("10.1.0.9", 1)), "radiusServerAddress": "10.1.0.8"}
    found = judge(document(**RADIUS, **both, radiusServerSecret="x"))
    assert [v.message for v in found] == ["RADIUS servers are given in two ways"]


@pytest.mark.parametrize("secret", ["", "a\nb", "ü", "x" * 129])
def test_an_unusable_secret_is_refused_without_its_text(secret: str, document: Any) -> None:
    one = {"radiusServerAddress": "10.1.0.9", "radiusServerSecret": secret}
    (violation,) = judge(document(**RADIUS, **one))
    assert "the shared secret" in violation.message
    assert not secret or secret not in violation.message + violation.remedy


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (
            {"vpnAuthenticationTypes": ["Radius"]},
            "classic deployment model does not support RADIUS",
        ),
        ({"vpnClientProtocols": ["IkeV2"]}, "the classic deployment model does not support IkeV2"),
        ({"vpnClientProtocols": ["OpenVPN"]}, "classic deployment model does not support OpenVPN"),
    ],
)
def test_what_the_classic_model_lacks(client: Any, words: str, document: Any) -> None:
    found = judge(document({"sku": {"name": "Basic"}}, **client), deployment="Classic")
    assert any(words in violation.message for violation in found), found


@pytest.mark.parametrize("sku", SKUS)
def test_the_classic_model_has_the_legacy_skus_only(sku: SkuName, document: Any) -> None:
    found = judge(
        document({"sku": {"name": sku}}, vpnClientProtocols=["SSTP"]), deployment="Classic"
    )
    wanted = [] if SKUS[sku].legacy else ["sku.name"]
    assert [dotted(violation) for violation in found] == wanted


def test_a_classic_static_gateway_has_no_point_to_site(document: Any) -> None:
    static = document(
        {"sku": {"name": "Basic"}, "vpnType": "PolicyBased"}, vpnClientProtocols=["SSTP"]
    )
    (violation,) = judge(static, deployment="Classic")
    assert (dotted(violation), "a dynamic gateway" in violation.remedy) == ("vpnType", True)


@pytest.mark.parametrize(("old", "new"), [(o, n) for o in SKUS for n in SKUS])
def test_a_change_of_the_size_is_judged_by_the_former_document(
    old: SkuName, new: SkuName, document: Any
) -> None:
    def gateway(sku: SkuName) -> VirtualNetworkGateway:
        return VirtualNetworkGateway.model_validate(
            document({"sku": {"name": sku}}, vpnClientProtocols=["SSTP"])
        )

    found = violations(gateway(new), Network(("10.1.0.0/16",)), former=gateway(old))
    assert [dotted(v) for v in found] == ([] if SKUS[old].resizes_to(SKUS[new]) else ["sku.name"])
    assert all("delete the gateway and create it anew" in v.remedy for v in found)
    assert all(v.source.startswith("seed: ") == ("Basic" in (old, new)) for v in found)


def test_a_size_has_room_for_the_connections_that_are_there(document: Any) -> None:
    small = VirtualNetworkGateway.model_validate(
        document({"sku": {"name": "Standard"}}, vpnClientProtocols=["SSTP"])
    )
    judged = [violations(small, Network(("10.1.0.0/16",), connections=n)) for n in (10, 11)]
    assert [[dotted(v) for v in found] for found in judged] == [[], ["sku.name"]]


def test_a_gateway_keeps_its_vpn_type(document: Any) -> None:
    old, new = (
        VirtualNetworkGateway.model_validate(
            document({"vpnType": kind, "vpnClientConfiguration": None})
        )
        for kind in ("PolicyBased", "RouteBased")
    )
    (violation,) = violations(new, Network(("10.1.0.0/16",)), former=old)
    assert dotted(violation) == "vpnType"
