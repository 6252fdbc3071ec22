"""RADIUS servers and Active Directory in topology files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lab.topology.load import LoadError, load_bytes
from lab.topology.model.site_services import Directory, SiteRadius
from lab.topology.model.steps import Update
from lab.topology.planning.describe import as_text, describe
from lab.topology.planning.planner import make_plan

RADIUS = {"address": "192.168.50.10", "users": {"alice": {"password": "Pa55w0rd!"}}}
DIRECTORY = {"address": "192.168.50.5", "users": {"alice": {"password": "x", "groups": ["vpn"]}}}


def test_a_radius_server_speaks_every_method_unless_told_otherwise() -> None:
    server = SiteRadius.model_validate(RADIUS)
    assert server.methods == ("PAP", "MS-CHAPv2", "EAP-MSCHAPv2", "EAP-TLS", "PEAP")
    assert SiteRadius.model_validate({**RADIUS, "methods": ["PAP"]}).methods == ("PAP",)


def test_the_domain_is_the_first_label_of_the_realm() -> None:
    assert Directory.model_validate({**DIRECTORY, "realm": "head.office.test"}).domain == "HEAD"


NAMES = ("O'Brien", 'q"', "Jörg Müller", " -x ", "DEFAULT", "CORP\\alice", "a@corp.test", "x" * 253)


@pytest.mark.parametrize("name", NAMES)
def test_a_radius_server_has_users_of_any_name(name: str) -> None:
    assert name in SiteRadius.model_validate({**RADIUS, "users": {name: {"password": "x"}}}).users


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\\a", "a\\", "a\\b\\c", "x" * 254, "ü" * 127])
def test_what_cannot_be_a_user_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="a user's name"):
        SiteRadius.model_validate({**RADIUS, "users": {name: {"password": "x"}}})


@pytest.mark.parametrize("name", ["Jörg O'Brien", "иван", "a#b$c%d", "-x", "a.b c", "x" * 20])
def test_an_account_has_a_name_that_windows_allows(name: str) -> None:
    users = {name: {"password": "x"}}
    assert name in Directory.model_validate({**DIRECTORY, "users": users}).users


@pytest.mark.parametrize(
    "name", ["", "a,b", 'a"', "a@b", "a\\b", " a", "a ", "a.", "a(b)", "a\n", "x" * 21]
)
def test_what_windows_forbids_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be the name of an account"):
        Directory.model_validate({**DIRECTORY, "users": {name: {"password": "x"}}})


@pytest.mark.parametrize("password", [" ", "ü☃😀", "\u00a0", "x" * 256, "😀" * 128, "'\"\\#%$"])
def test_any_text_is_a_password(password: str) -> None:
    users = {"alice": {"password": password}}
    found = SiteRadius.model_validate({**RADIUS, "users": users}).users["alice"].password
    assert found.get_secret_value() == password


@pytest.mark.parametrize(
    "password", ["", 'a"\nb', "\0", "\ud800", "x" * 257, "😀" * 129, "a\u2028b", 12]
)
def test_what_cannot_be_a_password_is_refused(password: Any) -> None:
    with pytest.raises(ValidationError, match="a password"):
        SiteRadius.model_validate({**RADIUS, "users": {"alice": {"password": password}}})


def test_a_wrong_password_is_not_quoted_in_the_message() -> None:
    with pytest.raises(ValidationError) as caught:
        SiteRadius.model_validate({**RADIUS, "users": {"alice": {"password": "hunter2\n"}}})
    assert "hunter2" not in caught.value.errors()[0]["msg"]


def test_passwords_are_not_in_what_is_printed() -> None:
    model = SiteRadius.model_validate(RADIUS)
    assert "Pa55w0rd!" not in repr(model)
    assert "Pa55w0rd!" not in model.model_dump_json()


def test_the_second_factor_is_asked_timed_or_never() -> None:
    for approved in ("asked", "never", 5, 0.5):
        said = {**RADIUS, "secondFactor": {"approved": approved}}
        factor = SiteRadius.model_validate(said).secondFactor
        assert factor is not None
        assert factor.approved == approved
    with pytest.raises(ValidationError):
        SiteRadius.model_validate({**RADIUS, "secondFactor": {"approved": "soon"}})


TOPOLOGY = """
name: exception
story: A RADIUS server from before the cure of CVE-2024-3596.
vnets:
  v:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts: {nps: {subnet: app, address: 10.1.1.9, radius: {users: {a: {password: x}}, signs: eap}}}
gateways:
  gw:
    vnet: v
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 10.1.1.9
        radiusServerSecret: s
"""


def planned(text: str) -> Any:
    return make_plan(load_bytes(text.encode(), "t.yaml", Path()), Path())


def test_a_server_that_does_not_sign_all_is_excepted_at_the_gateway() -> None:
    [gateway] = planned(TOPOLOGY).gateways
    assert list(map(str, gateway.placement.radiusServersThatDoNotSignAll)) == ["10.1.1.9"]
    for other in ("", ", signs: eap, exception: false"):
        [gateway] = planned(TOPOLOGY.replace(", signs: eap", other)).gateways
        assert gateway.placement.radiusServersThatDoNotSignAll == ()


def test_an_exception_for_a_server_that_signs_all_is_refused() -> None:
    with pytest.raises(LoadError, match="so exception has no effect"):
        planned(TOPOLOGY.replace("signs: eap", "exception: false"))


@pytest.mark.parametrize("secret", ["ends with \\", "has \\' inside"])
def test_a_secret_that_freeradius_cannot_be_told_is_refused_and_not_quoted(secret: str) -> None:
    written = "'" + secret.replace("'", "''") + "'"
    for spoiled in (
        TOPOLOGY.replace("radiusServerSecret: s", f"radiusServerSecret: {written}"),
        TOPOLOGY.replace("signs: eap", f"secret: {written}"),
    ):
        with pytest.raises(LoadError, match="cannot express this shared secret") as caught:
            planned(spoiled)
        assert secret not in str(caught.value)


def test_the_secret_of_an_update_is_not_in_what_is_printed() -> None:
    change = "{update: gw, properties: {vpnClientConfiguration: {radiusServerSecret: hunter2}}}"
    plan = planned(TOPOLOGY + f"expect: [{change}]\n")
    said = json.dumps(describe(plan)) + as_text(plan) + repr(plan.steps)
    assert "hunter2" not in said
    assert '"radiusServerSecret": "(secret)"' in as_text(plan)
    [step] = plan.steps
    assert isinstance(step, Update)
    assert "hunter2" in json.dumps(step.properties)
