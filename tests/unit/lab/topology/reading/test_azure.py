"""Azure's documents in a topology: in it, in a file beside it, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.topology.load import load
from lab.topology.model.steps import Update
from lab.topology.reading.problems import LoadError
from tests.rigs.azure_documents import JSON, SHAPES, get
from tests.unit.lab.topology.spoiling import SOUND, SOURCE, check, problems, spoil

PROPERTIES = SOUND[SOUND.index("    properties:\n") : SOUND.index("pki:\n")]
LINE = SOUND[: SOUND.index(PROPERTIES)].count("\n") + 1
ROOT = [{"name": "r", "properties": {"publicCertData": "${contoso-root.publicCertData}"}}]
VNET = "vnet: contoso\n"
ENTRA = {"aadTenant": "t", "aadAudience": "a", "aadIssuer": "i"}


def whole(properties: dict[str, Any] | None = None, **client: Any) -> dict[str, Any]:
    return get(
        properties, vpnClientRootCertificates=ROOT, vpnClientRevokedCertificates=[], **client
    )


def inline(document: Any, *more: str) -> str:
    """The sound topology with this document, in JSON, in place of its own."""
    lines = [*more, f"properties: {json.dumps(document)}"]
    return SOUND.replace(PROPERTIES, "".join(f"    {line}\n" for line in lines))


def beside(directory: Path, content: str | bytes, *more: str) -> list[str]:
    """What is wrong with the sound topology whose document is this file."""
    data = content.encode() if isinstance(content, str) else content
    (directory / "gateway.json").write_bytes(data)
    lines = ["document: gateway.json", *more]
    text = SOUND.replace(PROPERTIES, "".join(f"    {line}\n" for line in lines))
    (directory / "t.yaml").write_text(text)
    try:
        load(directory / "t.yaml")
    except LoadError as error:
        return [str(problem).removeprefix(f"{directory}/") for problem in error.problems]
    return []


@pytest.mark.parametrize("shape", SHAPES)
def test_what_azures_tools_print_is_a_gateways_document(shape: str, tmp_path: Path) -> None:
    document = SHAPES[shape](whole())
    assert problems(inline(document)) == []
    assert beside(tmp_path, json.dumps(document, indent=4)) == []
    gateway = check(inline(document)).gateways["contoso-gw"]
    assert gateway.properties.sku.name == "VpnGw2"
    other = load(tmp_path / "t.yaml").topology.gateways["contoso-gw"]
    assert other.properties == gateway.properties


def test_a_problem_has_its_place_in_the_file_that_has_the_document(tmp_path: Path) -> None:
    document = whole({"natRules": [{"name": "n"}]}, vpnClientProtocols=["IkeV2", "IKE"])
    text = json.dumps(SHAPES["az"](document), indent=2)
    lines = text.splitlines()
    places = {
        name: next(n for n, line in enumerate(lines, 1) if word in line)
        for name, word in {"nat": '"natRules"', "ike": '"IKE"'}.items()
    }
    found = beside(tmp_path, text)
    assert [problem.partition(": ")[0] for problem in found] == [
        f"gateway.json:{places['nat']}:15",
        f"gateway.json:{places['ike']}:7",
    ]
    assert "not supported by this lab yet; leave it out, or go on without it" in found[0]
    assert "did you mean 'IkeV2'?" in found[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_may_have_the_encodings_of_powershell(encoding: str, tmp_path: Path) -> None:
    assert beside(tmp_path, json.dumps(whole()).encode(encoding)) == []


FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "gateway.json:1:1: not JSON: Expecting value"),
    "Bicep": ("param x string\n", "gateway.json:1:1: not JSON: Expecting value"),
    "cut off": ('{\n  "sku": {', "gateway.json:2:11: not JSON: Expecting property name"),
    "bytes": (b'{"\xff\xff": 1}', "gateway.json:1:1: not UTF-8 or UTF-16 text"),
    "a number": ("1", "gateway.json:1:1: must be a mapping"),
    "null": ("null", "gateway.json:1:1: must be a mapping"),
    "a list": ("\n[{}, {}]", "gateway.json:2:1: a list of 2 documents"),
    "a key twice": (json.dumps(whole())[:-1] + ',\n"etag": ""}', "gateway.json:2:1: key 'etag'"),
    "nested too deeply": ("[" * 5000 + "]" * 5000, "gateway.json:1:"),
    "a template": ('{"$schema": "", "resources": []}', "gateway.json:1:17: a whole ARM template"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_document_says_where_and_why(kind: str, tmp_path: Path) -> None:
    content, words = FILES[kind]
    [found] = beside(tmp_path, content)
    assert found.startswith(words)


@pytest.mark.parametrize("name", ["none.json", ".", "../../../../none", "/none"])
def test_a_file_that_cannot_be_read_is_told_at_its_name(name: str, tmp_path: Path) -> None:
    text, [place] = spoil((PROPERTIES, f"    document: «{name}\n"))
    [(line, column, words)] = problems(text, tmp_path)
    assert ((line, column), name in words) == (place, True)
    assert words.endswith("file names are relative to the topology file")


def test_a_document_beside_properties_is_refused() -> None:
    text, [place] = spoil((VNET, f"{VNET}    document: «gateway.json\n"))
    assert [found[:2] for found in problems(text)] == [place]


def test_certificate_users_of_a_gateway_with_entra_id_are_served_if_it_is_ignored() -> None:
    document = whole(vpnAuthenticationTypes=["AAD", "Certificate"], **ENTRA)
    [(line, _, words)] = problems(inline(document))
    assert line == LINE
    assert words.startswith("Entra ID authentication (vpnAuthenticationTypes, aadTenant, ")
    path = "vpnClientConfiguration.vpnAuthenticationTypes"
    assert words.endswith(f"or go on without it: `ignore: [{path}]`")
    topology = check(inline(document, f"ignore: [{path}]"))
    client = topology.gateways["contoso-gw"].properties.vpnClientConfiguration
    assert client is not None
    assert client.vpnAuthenticationTypes == ("Certificate",)


IGNORED = {
    "natRules": "nothing at 'natRules' is refused; leave it out",
    "nowhere": "the document has no 'nowhere'; leave it out",
    "vpnClientConfiguration.aadTenant": "the document has no",
}


@pytest.mark.parametrize("path", IGNORED)
def test_a_path_that_need_not_be_ignored_is_refused(path: str) -> None:
    text = inline(whole(), f"ignore: [{path}]")
    [(line, column, words)] = problems(text)
    assert (line, column) == (LINE, 14)
    assert words.startswith(IGNORED[path])


@pytest.mark.parametrize("value", ["natRules", "[1]", "{a: b}", "[natRules, [x]]"])
def test_what_is_ignored_is_a_list_of_paths(value: str) -> None:
    found = problems(inline(whole({"natRules": [{"name": "n"}]}), f"ignore: {value}"))
    assert found
    assert all("must be" in words or "NAT rules" in words for _, _, words in found)


def test_all_of_a_document_is_told_in_one_round_once_each() -> None:
    document = whole(
        {"colour": 1, "natRules": [1], "sku": {"name": "VpnGw5"}, "activeActive": True},
        vpnClientProtocols=["[parameters('x')]"],
        vpnAuthenticationTypes=["Certificate", "AAD"],
    )
    found = sorted(words.partition(";")[0] for _, _, words in problems(inline(document)))
    assert found == [
        "Entra ID authentication: not supported by this lab yet",
        "NAT rules: not supported by this lab yet",
        "active-active: not supported by this lab yet",
        "an expression of an ARM template, which this lab does not evaluate",
        "the VpnGw5 SKU: not supported by this lab yet",
        "unknown key 'colour'",
    ]


def test_an_update_is_a_document_too() -> None:
    step = {"update": "contoso-gw", "properties": {
        "VpnClientConfiguration": {"vpnclientprotocols": ["ikev2"], "aadTenant": None},
        "resourceGuid": "x", "customRoutes": None}}  # fmt: skip
    reaches = "  - {reaches: alice, host: app1, port: 80}\n"
    update = check(SOUND.replace(reaches, f"  - {json.dumps(step)}\n")).expect[1]
    assert isinstance(update, Update)
    assert update.properties == {
        "vpnClientConfiguration": {"vpnClientProtocols": ["IkeV2"]},
        "customRoutes": None,
    }
    step["properties"] = {"natRules": [{"name": "n"}]}
    [(line, _, words)] = problems(SOUND.replace(reaches, f"  - {json.dumps(step)}\n"))
    assert line == SOUND[: SOUND.index(reaches)].count("\n") + 1
    assert words == "NAT rules: not supported by this lab yet; leave it out"


def test_keys_in_other_letters_are_told_where_they_stand() -> None:
    text, places = spoil(
        ("      sku: {name: VpnGw1}", "      SKU: {Name: «1}\n      «Sku: {name: VpnGw1}")
    )
    found = problems(text)
    assert found[0][2].startswith("must be one of Basic, Standard")
    assert found[1][2].startswith("'SKU' and 'Sku' are one field; keep one of them")
    assert [problem[:2] for problem in found] == places


def test_secrets_in_a_document_are_not_shown(tmp_path: Path) -> None:
    document = whole(radiusServerSecret=["hunter2"], aadTenant="hunter2", colour="hunter2")
    for found in (beside(tmp_path, json.dumps(document)), problems(inline(document))):
        assert len(found) >= 3
        assert "hunter2" not in str(found)


@settings(max_examples=60, deadline=None)
@given(document=JSON, ignore=st.lists(st.sampled_from(["natRules", "", "[0]", "a.b"]), max_size=2))
def test_any_json_in_place_of_a_document_is_told_about(document: Any, ignore: list[str]) -> None:
    text = inline(document, f"ignore: {json.dumps(ignore)}")
    assert all(line >= 1 and words for line, _, words in problems(text, SOURCE))
