"""Every service of a plan is printed without its secrets, and has a role that starts it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from importlib import import_module
from inspect import signature
from typing import Any, ClassVar, get_args

import pytest
from pydantic import SecretStr

from lab.roles import ROLES
from lab.topology.planning.describe import as_text, describe
from lab.topology.planning.plan import NodePlan, Plan
from lab.topology.planning.specs import (
    BgpSpec,
    DirectorySpec,
    DnsSpec,
    EchoSpec,
    HttpSpec,
    InspectionSpec,
    Iperf3Spec,
    PortalSpec,
    ProxySpec,
    RadiusSpec,
    ServiceSpec,
    VpnDeviceSpec,
    is_secret,
)
from radius.directory import User
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import spoil

HIDDEN = "hunter2"
SPECS: tuple[ServiceSpec, ...] = (
    DnsSpec(("10.0.0.1",), {"app1": ("10.0.0.2",)}, ("10.0.0.3",), ("gw.test",)),
    HttpSpec("hello"),
    EchoSpec(),
    Iperf3Spec(),
    ProxySpec(3128, (443,), ("gw.test",), {"alice": SecretStr(HIDDEN)}),
    InspectionSpec("192.168.77.1", "cafe-inspection", {"gw.test": "x"}, "198.51.100.253"),
    PortalSpec("192.168.77.1", "hotel-portal"),
    VpnDeviceSpec(
        "198.51.100.2",
        "203.0.113.2",
        ("192.168.50.0/24",),
        ("0.0.0.0/0",),
        "192.168.50.0/24",
        ("192.168.50.0/24",),
        SecretStr(HIDDEN),
    ),
    BgpSpec("192.168.50.1", 65010, "10.1.255.30", 65515, ("192.168.50.0/24",)),
    RadiusSpec(
        address="192.168.50.10",
        clients=("10.1.255.0/27",),
        methods=("PAP",),
        certificate="nps-server",
        authority="root",
        revoked=("bob",),
        signs_all=True,
        domain="CORP",
        group="vpn",
        factor=4.0,
        deniers=("carol",),
        secret=SecretStr(HIDDEN),
        users={"alice": SecretStr(HIDDEN)},
    ),
    DirectorySpec(
        realm="corp.test",
        addresses={"DC1": "192.168.50.5"},
        members={"NPS1": "nps"},
        lockout_threshold=3,
        users=(User("alice", HIDDEN),),
    ),
)
PRINTED = {
    "dns": {"listen", "records", "forward", "refused"},
    "http": {"text", "port", "listen"},
    "echo": {"port", "listen"},
    "iperf3": {"port", "listen"},
    "proxy": {"port", "allow", "denied"},
    "inspection": {"address", "certificate", "certificates", "nameserver"},
    "portal": {"address", "certificate"},
    "site": {"public", "peer", "local", "remote", "lan", "known", "ike", "esp"},
    "bgp": {"address", "asn", "peer", "peerAsn", "announced"},
    "radius": {"address", "clients", "methods", "certificate", "authority", "revoked", "signsAll",
               "domain", "group", "factor", "deniers"},
    "directory": {"realm", "addresses", "members", "lockoutThreshold"},
}  # fmt: skip


def plan_with(*specs: Any) -> Plan:
    node = NodePlan("node", "host", services=specs)
    return Plan("specs", "", (node,), (), (), (), (), ())


def printed(spec: Any) -> dict[str, Any]:
    (service,) = describe(plan_with(spec))["nodes"][0]["services"]
    told: dict[str, Any] = service
    return told


def test_there_is_an_example_and_a_role_for_every_spec() -> None:
    assert {type(spec) for spec in SPECS} == set(get_args(ServiceSpec)) == set(ROLES)
    assert {spec.role for spec in SPECS} == set(PRINTED)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.role)
def test_a_spec_is_printed_with_all_its_options_but_the_secrets(spec: ServiceSpec) -> None:
    assert printed(spec).keys() == {"role"} | PRINTED[spec.role]
    plan = plan_with(spec)
    assert HIDDEN not in json.dumps(describe(plan)) + as_text(plan) + repr(plan)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.role)
def test_what_is_not_printed_is_not_in_the_repr_either(spec: ServiceSpec) -> None:
    for part in fields(spec):
        assert part.repr is not is_secret(part), part.name


@pytest.mark.parametrize("value", [SecretStr(HIDDEN), (User("alice", HIDDEN),)])
def test_a_secret_in_a_field_that_is_not_marked_is_not_printed(value: Any) -> None:
    @dataclass(frozen=True)
    class Careless:
        role: ClassVar[str] = "careless"
        options: Any

    with pytest.raises(TypeError, match="a plan does not print a"):
        printed(Careless(value))
    assert printed(Careless(("a", 1))) == {"role": "careless", "options": ["a", 1]}


@pytest.mark.parametrize(("spec", "module"), ROLES.items(), ids=lambda part: str(part)[-20:])
def test_a_role_starts_what_its_spec_says(spec: type[ServiceSpec], module: str) -> None:
    start = import_module(module).start
    (_, takes, context) = signature(start).parameters.values()
    assert (takes.annotation, context.annotation) == (spec.__name__, "RoleContext")


def test_the_secrets_of_a_gateways_document_are_not_printed() -> None:
    radius = (
        f"[Radius]\n        radiusServerAddress: 10.1.1.9\n        radiusServerSecret: {HIDDEN}"
    )
    text, _ = spoil(("[IkeV2, OpenVPN]", "[IkeV2]"), ("[Certificate]", radius))
    plan = plan_of(text)
    configuration = plan.gateways[0].resource.properties.vpnClientConfiguration
    assert configuration
    assert configuration.radiusServerSecret == SecretStr(HIDDEN)
    assert HIDDEN not in json.dumps(describe(plan)) + as_text(plan) + repr(plan)
    assert plan.radius_servers == ["10.1.1.9"]


def test_radius_servers_are_in_the_order_of_their_scores() -> None:
    plan = plan_of()
    (gateway,) = plan.gateways
    rows = [
        {"radiusServerAddress": f"10.1.1.{n}", "radiusServerScore": n, "radiusServerSecret": "x"}
        for n in (1, 30, 7)
    ]
    document = gateway.resource.document()
    document["properties"]["vpnClientConfiguration"]["radiusServers"] = rows
    changed = replace(gateway, resource=type(gateway.resource).model_validate(document))
    told = replace(plan, gateways=(changed,)).radius_servers
    assert told == ["10.1.1.30", "10.1.1.7", "10.1.1.1"]
