"""Which connections and local network gateways are refused; GET never returns keys."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.connections import Connection, LocalNetworkGateway
from gateway.arm.placement import RemoteGateway
from gateway.arm.resource import NOT_YET, VirtualNetworkGateway
from gateway.arm.rules.connections import CONNECTION_RULES, ConnectionCase, local_gateway_violations
from tests.unit.gateway.arm.test_ipsec import POLICY

KEY = "hunter2-of-the-lab"


def local(name: str = "office", address: str = "198.51.100.2", *prefixes: str) -> Any:
    space = {"addressPrefixes": list(prefixes or ("192.168.50.0/24",))}
    properties = {"localNetworkAddressSpace": space, "gatewayIpAddress": address}
    return LocalNetworkGateway.model_validate({"name": name, "properties": properties})


def connection(name: str = "office", local_gateway: str = "office", **changes: Any) -> Connection:
    properties = {
        "virtualNetworkGateway1": {"id": "/subscriptions/x/virtualNetworkGateways/gw"},
        "localNetworkGateway2": {"id": f"/subscriptions/x/localNetworkGateways/{local_gateway}"},
        "connectionType": "IPsec",
        "sharedKey": KEY,
    } | changes
    return Connection.model_validate({"name": name, "properties": properties})


def judge(one: Connection, others: int = 0, **gateway: Any) -> list[str]:
    properties = {"sku": {"name": "VpnGw1"}} | gateway
    case = ConnectionCase(
        one,
        VirtualNetworkGateway.model_validate({"name": "gw", "properties": properties}),
        {"office": local(), **{f"o{n}": local(f"o{n}", f"198.51.100.{n}") for n in range(3, 60)}},
        {f"c{n}": connection(f"c{n}", f"o{n}") for n in range(3, 3 + others)},
        {
            "west": RemoteGateway.model_validate(
                {"publicIPAddress": "203.0.113.6", "addressPrefixes": ["10.2.0.0/16"]}
            ),
            "close": RemoteGateway.model_validate(
                {"publicIPAddress": "203.0.113.7", "addressPrefixes": ["10.1.128.0/17"]}
            ),
            "third": RemoteGateway.model_validate(
                {"publicIPAddress": "198.51.100.3", "addressPrefixes": ["10.3.0.0/16"]}
            ),
        },
        {"virtual network": ("10.1.0.0/16",)},
    )
    return [violation.message for rule in CONNECTION_RULES for violation in rule(case)]


def test_a_valid_connection_passes() -> None:
    assert judge(connection(), others=29) == []
    policy = connection(ipsecPolicies=[POLICY], usePolicyBasedTrafficSelectors=True)
    assert judge(policy) == []


def to_vnet(remote: str = "west", **changes: Any) -> Connection:
    ends = {"virtualNetworkGateway2": {"id": f"/x/{remote}"}, "localNetworkGateway2": None}
    return connection("to-vnet", **({"connectionType": "Vnet2Vnet"} | ends | changes))


def test_a_connection_to_a_vnet_passes_and_counts_as_a_tunnel() -> None:
    assert judge(to_vnet(), others=9, sku={"name": "Basic"}) == []
    (message,) = judge(to_vnet(), others=10, sku={"name": "Basic"})
    assert message == "the Basic SKU allows 10 site-to-site tunnels"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (to_vnet("nowhere"), "no other virtual network gateway 'nowhere'"),
        (to_vnet("gw"), "no other virtual network gateway 'gw'"),
        (to_vnet("close"), "10.1.128.0/17 overlaps the virtual network's 10.1.0.0/16"),
        (to_vnet(virtualNetworkGateway2=None), "needs virtualNetworkGateway2"),
        (to_vnet(localNetworkGateway2={"id": "office"}), "leads to a virtualNetworkGateway2"),
        (
            to_vnet(connectionType="IPsec", localNetworkGateway2={"id": "office"}),
            "leads to a local",
        ),
        (connection(localNetworkGateway2=None), "needs localNetworkGateway2"),
        (to_vnet("third"), "c3 already connects to 198.51.100.3"),
    ],
)
def test_a_connection_names_the_end_that_its_type_has(one: Connection, words: str) -> None:
    (message,) = judge(one, others=1)
    assert words in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"connectionType": "ExpressRoute"}, f"ExpressRoute: {NOT_YET}"),
        ({"connectionProtocol": "IKEv1"}, f"IKEv1: {NOT_YET}"),
        ({"virtualNetworkGateway1": {"id": "other"}}, "this gateway is gw"),
        ({"localNetworkGateway2": {"id": "nowhere"}}, "no local network gateway 'nowhere'"),
        ({"sharedKey": None}, "the shared key is missing"),
        ({"ipsecPolicies": [POLICY | {"dhGroup": "None"}]}, "IKEv2 needs a Diffie-Hellman group"),
        ({"ipsecPolicies": [POLICY, POLICY]}, "a second IPsec policy"),
        ({"sharedKey": "schlüssel"}, "the shared key cannot be used"),
    ],
)
def test_what_is_refused_of_a_connection(changes: dict[str, Any], words: str) -> None:
    (message,) = judge(connection(**changes))
    assert words in message
    assert "schlüssel" not in message


def test_the_number_of_tunnels_is_the_skus() -> None:
    (message,) = judge(connection(), others=30)
    assert message == "the VpnGw1 SKU allows 30 site-to-site tunnels"
    (message,) = judge(connection(), others=10, sku={"name": "Basic"})
    assert message == "the Basic SKU allows 10 site-to-site tunnels"


def test_a_policy_based_gateway_has_no_connection_yet() -> None:
    (message,) = judge(connection(), vpnType="PolicyBased")
    assert NOT_YET in message


def test_a_device_is_connected_once() -> None:
    (message,) = judge(connection("again", "o3"), others=1)
    assert message == "c3 already connects to 198.51.100.3"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (local("o", "nowhere.example"), "not an IPv4 address"),
        (local("o", "198.51.100.2", "192.168.50.1/24"), "not a prefix"),
        (local("o", "198.51.100.2", "10.1.0.0/16"), "overlaps the virtual network's"),
        (local("o", "198.51.100.2", "172.16.0.0/12"), "overlaps the pool's 172.16.201.0/24"),
    ],
)
def test_what_is_refused_of_a_local_network_gateway(
    document: LocalNetworkGateway, words: str
) -> None:
    own = {"virtual network": ("10.0.0.0/8",), "pool": ("172.16.201.0/24",)}
    (violation,) = local_gateway_violations(document, own)
    assert words in violation.message


def test_the_key_does_not_come_back_and_is_kept() -> None:
    one = connection()
    assert KEY not in repr(one) + str(one.document())
    bare = Connection.model_validate(one.document())
    kept = bare.with_key_of(one).properties.sharedKey
    assert kept is not None
    assert kept.get_secret_value() == KEY
