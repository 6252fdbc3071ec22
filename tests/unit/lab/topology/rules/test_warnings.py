"""Remarks on topologies that build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.validate import command
from lab.topology.load import load_bytes
from lab.topology.rules import rule_warnings
from tests.unit.lab.topology.spoiling import check, spoil

LAN = "lan: 192.168.1.0/24"
ROUTES = "sku: {name: VpnGw1}"


def custom(prefix: str) -> tuple[str, str]:
    return ROUTES, f"{ROUTES}\n      customRoutes: {{addressPrefixes: [{prefix}]}}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(LAN, "lan: 10.1.1.0/24")], "clients look for 10.1.1.0/24 at home, not in the tunnel"),
        ([(LAN, "lan: 10.1.0.0/16")], "its clients look for 10.1.0.0/16 at home"),
        ([(LAN, "lan: 10.0.0.0/8")], "connected clients look for 10.1.0.0/16 in the tunnel"),
        ([(LAN, "lan: 172.16.201.0/25")], "the address pool of 'contoso-gw': two networks share"),
        ([custom("192.168.0.0/16")], "192.168.0.0/16, a custom route of 'contoso-gw': its clients"),
    ],
)  # fmt: skip
def test_a_lan_that_overlaps_what_the_tunnel_leads_to(
    changes: list[tuple[str, str]], words: str
) -> None:
    [warning] = rule_warnings(check(spoil(*changes)[0]))
    assert warning.path == ("access", "home", "lan")
    assert words in warning.message


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(LAN, "lan: 10.2.0.0/16")],
        [("access:\n", "access:\n  empty: {lan: 10.1.1.0/24}\n")],
        [(LAN, "nat: true"), custom("10.9.0.0/16")],
    ],
    ids=str,
)
def test_others_have_no_warning(changes: list[tuple[str, str]]) -> None:
    assert list(rule_warnings(check(spoil(*changes)[0]))) == []


ON_PREMISES = """
name: radius
story: A server on premises.
vnets:
  v: {addressSpace: [10.1.0.0/16], subnets: {GatewaySubnet: 10.1.255.0/27}}
gateways:
  gw:
    vnet: v
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: ASKED
        radiusServerSecret: lab-secret
sites:
  office:
    lan: 192.168.50.0/24
    LINK
    radius: {address: 192.168.50.10}
"""


@pytest.mark.parametrize(
    ("link", "asked", "messages"),
    [
        ("connection: {to: gw, sharedKey: lab-psk}", "192.168.50.10", []),
        ("hosts: {}", "10.1.0.9", []),
        *(
            (
                link,
                "192.168.50.10",
                [
                    (
                        "'gw' asks the RADIUS server 192.168.50.10, and has no connection to "
                        "'office': it gets no answer"
                    )
                ],
            )
            for link in ("hosts: {}", "privateLink: true")
        ),
    ],
)
def test_a_radius_server_on_premises_needs_a_connection(
    link: str, asked: str, messages: list[str]
) -> None:
    text = ON_PREMISES.replace("LINK", link).replace("ASKED", asked)
    found = rule_warnings(load_bytes(text.encode(), "t.yaml", Path()))
    assert [one.message for one in found] == messages


def test_validate_says_ok_and_warns_on_stderr(tmp_path: Path) -> None:
    text, [(line, column)] = spoil((LAN, "lan: «10.1.1.0/24"))
    file = tmp_path / "t.yaml"
    file.write_text(text)
    done = CliRunner().invoke(command, [str(file)])
    assert (done.exit_code, done.stdout) == (0, f"{file}: ok (6 nodes, 1 client, 2 steps)\n")
    assert done.stderr.startswith(f"{file}:{line}:{column}: warning: 10.1.1.0/24 of the access")
    [answer] = json.loads(CliRunner().invoke(command, ["--json", str(file)]).stdout)
    assert [warning["line"] for warning in answer["warnings"]] == [line]
