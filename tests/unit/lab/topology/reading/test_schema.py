"""The published JSON Schema accepts what the loader accepts, and refuses unknown keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.topology.reading.schema import schema
from tests.rigs.json_schema import Schema
from tests.unit.lab.topology.spoiling import SOURCE, TOPOLOGIES

SCHEMA = schema()
flaws = Schema(SCHEMA).flaws


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_every_topology_fits_the_schema(path: Path) -> None:
    assert flaws(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    "where",
    [
        (),
        ("vnets", "contoso"),
        ("vnets", "contoso", "hosts", "app1"),
        ("gateways", "contoso-gw"),
        ("gateways", "contoso-gw", "properties"),
        ("gateways", "contoso-gw", "properties", "vpnClientConfiguration"),
        ("access", "home"),
        ("clients", "alice", "certificate"),
        ("expect", 1),
    ],
)
def test_an_unknown_key_does_not_fit_anywhere(where: tuple[str | int, ...]) -> None:
    document = yaml.safe_load((SOURCE / "topologies" / "quickstart.yaml").read_text())
    node = document
    for part in where:
        node = node[part]
    node["surprise"] = 1
    assert flaws(document)


def test_a_name_that_cannot_be_one_does_not_fit() -> None:
    document = yaml.safe_load((SOURCE / "topologies" / "quickstart.yaml").read_text())
    document["clients"]["not a name"] = document["clients"]["alice"]
    assert flaws(document) == [".clients: unknown key not a name"]


def test_a_key_that_the_lab_does_not_support_does_not_fit() -> None:
    rule = SCHEMA["$defs"]["GatewayProperties"]["properties"]["natRules"]
    assert flaws([{"name": "rule1"}], rule)
    assert flaws([], rule) == []
    assert "not supported" in rule["description"]


def test_editors_get_a_description_of_every_key_of_the_labs_own() -> None:
    own = ("Access", "Authority", "Client", "ClientCertificate", "Gateway", "Host", "Proxy")
    rules = [SCHEMA, *(SCHEMA["$defs"][name] for name in own)]
    bare = [
        key
        for rule in rules
        for key, value in rule["properties"].items()
        if "description" not in value
    ]
    assert bare == []
