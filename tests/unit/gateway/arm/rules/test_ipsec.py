"""Which IPsec policies are refused, of clients and of connections."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.ipsec import IpsecPolicy
from gateway.arm.resource import GatewayProperties, VirtualNetworkGateway
from gateway.arm.rules.ipsec import connection_policies
from gateway.arm.rules.rulebook import Network, Violation, violations
from tests.unit.gateway.arm.test_ipsec import POLICY

GCM = {"ipsecEncryption": "GCMAES256", "ipsecIntegrity": "GCMAES256"}


def of_clients(document: Any, *policies: dict[str, Any], **client: Any) -> list[Violation]:
    resource = document(vpnClientIpsecPolicies=[POLICY | one for one in policies], **client)
    return violations(VirtualNetworkGateway.model_validate(resource), Network(("10.1.0.0/16",)))


def of_connections(*policies: dict[str, Any], sku: str = "VpnGw1") -> list[Violation]:
    gateway = GatewayProperties.model_validate({"sku": {"name": sku}})
    models = [IpsecPolicy.model_validate(POLICY | one) for one in policies]
    return list(connection_policies(models, gateway))


BOTH = [
    {},
    GCM,
    {"ipsecEncryption": "GCMAES128", "ipsecIntegrity": "GCMAES128"},
    {"ikeEncryption": "GCMAES128", "ikeIntegrity": "SHA256"},
    {"ikeEncryption": "AES128", "ipsecEncryption": "AES128"},
    *({"dhGroup": word} for word in ("DHGroup2", "DHGroup2048", "DHGroup24", "ECP256", "ECP384")),
    *({"pfsGroup": word} for word in ("PFS2", "PFS14", "PFS2048", "PFS24", "ECP256", "ECP384")),
    {"pfsGroup": "PFSMM"},
    {"pfsGroup": "None"},
    {"saLifeTimeSeconds": 300, "saDataSizeKilobytes": 1024},
    {"saLifeTimeSeconds": 172_799, "saDataSizeKilobytes": 2**31 - 1},
]
CONNECTIONS_ALONE = [
    {"ikeEncryption": "DES"},
    {"ikeEncryption": "DES3"},
    {"ikeEncryption": "AES192"},
    {"ikeIntegrity": "MD5"},
    {"ikeIntegrity": "SHA1"},
    {"ipsecEncryption": "None"},
    {"ipsecEncryption": "DES"},
    {"ipsecEncryption": "DES3"},
    {"ipsecEncryption": "AES192"},
    {"ipsecEncryption": "GCMAES192", "ipsecIntegrity": "GCMAES192"},
    {"ipsecIntegrity": "MD5"},
    {"ipsecIntegrity": "SHA1"},
    {"dhGroup": "DHGroup1"},
    {"pfsGroup": "PFS1"},
    {"saLifeTimeSeconds": 172_800},
]
NEITHER = [
    ({"ikeIntegrity": "GCMAES256"}, "ikeIntegrity", "GCMAES256 is not supported here"),
    ({"dhGroup": "None"}, "dhGroup", "None is not supported here|needs a Diffie-Hellman group"),
    (GCM | {"ipsecIntegrity": "GCMAES128"}, "ipsecIntegrity", "GCM is both"),
    (GCM | {"ipsecIntegrity": "SHA256"}, "ipsecIntegrity", "GCM is both"),
    (GCM | {"ipsecEncryption": "AES256"}, "ipsecIntegrity", "GCM is both"),
    ({"saLifeTimeSeconds": 299}, "saLifeTimeSeconds", "299 is out of range"),
    ({"saLifeTimeSeconds": -1}, "saLifeTimeSeconds", "-1 is out of range"),
    ({"saDataSizeKilobytes": 1023}, "saDataSizeKilobytes", "1023 is out of range"),
]


@pytest.mark.parametrize("changes", BOTH, ids=str)
def test_what_azure_documents_for_both_is_accepted(changes: dict[str, Any], document: Any) -> None:
    assert of_clients(document, changes) == []
    assert of_connections(changes) == []


@pytest.mark.parametrize("changes", CONNECTIONS_ALONE, ids=str)
def test_what_azure_documents_for_connections_alone(changes: dict[str, Any], document: Any) -> None:
    assert of_connections(changes) == []
    found = {violation.path[-1] for violation in of_clients(document, changes)}
    assert found == set(changes)


@pytest.mark.parametrize(("changes", "field", "words"), NEITHER, ids=str)
def test_what_is_refused_of_both(
    changes: dict[str, Any], field: str, words: str, document: Any
) -> None:
    (client,) = of_clients(document, changes)
    (connection,) = of_connections(changes)
    assert client.path == ("vpnClientConfiguration", "vpnClientIpsecPolicies", 0, field)
    assert connection.path == ("ipsecPolicies", 0, field)
    for violation in (client, connection):
        assert any(word in violation.message for word in words.split("|"))
        assert violation.remedy
        assert violation.source


def test_all_that_is_wrong_is_said_at_once(document: Any) -> None:
    wrong = {"ikeEncryption": "DES", "dhGroup": "DHGroup1", "saLifeTimeSeconds": 1}
    fields = [violation.path[-1] for violation in of_clients(document, wrong)]
    assert sorted(map(str, fields)) == sorted(wrong)


def test_one_policy_is_what_there_may_be(document: Any) -> None:
    (client,) = of_clients(document, {}, {})
    (connection,) = of_connections({}, {})
    assert (client.path[-1], connection.path) == (1, ("ipsecPolicies", 1))
    assert "a second IPsec policy" in client.message


def test_basic_has_no_policies() -> None:
    (violation,) = of_connections({}, sku="Basic")
    assert "the Basic SKU does not support IPsec policies" in violation.message
    assert of_connections(sku="Basic") == []


def test_a_policy_without_ikev2_is_refused_for_it_would_do_nothing(document: Any) -> None:
    (violation,) = of_clients(document, {}, vpnClientProtocols=["SSTP"])
    assert "no IkeV2: the policy has no effect" in violation.message
    assert of_clients(document, vpnClientProtocols=["SSTP"]) == []
