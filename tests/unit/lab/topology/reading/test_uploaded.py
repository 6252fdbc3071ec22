"""The user's own root files: what a gateway would refuse is found when the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.unit.gateway.common import test_anchors as made
from tests.unit.lab.topology.spoiling import problems, spoil

OWN = "contoso-root: {certificate: «root.pem}"
ALICE = ", certificate: {issuer: contoso-root}"
"""Left out: the authority has no key, and none is needed."""


def told(base: Path, own: str = OWN) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
    text, places = spoil(("contoso-root: {}", own), (ALICE, ""))
    return problems(text, base), places


@pytest.mark.parametrize("root", made.ROOTS)
def test_a_root_file_is_taken_or_refused_as_in_a_document(root: str, tmp_path: Path) -> None:
    extensions, words = made.ROOTS[root]
    certificate, _ = made.issue(made.name("root"), *extensions)
    (tmp_path / "root.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    found, [place] = told(tmp_path)
    assert [entry[:2] for entry in found] == ([place] if words else [])
    assert all(words in said for _, _, said in found)


def test_an_intermediate_in_a_root_file_is_told(tmp_path: Path) -> None:
    root = made.issue(made.name("Corp Root"), made.constraints(ca=True))
    middle, _ = made.issue(made.name("Corp Issuing"), made.constraints(ca=True), by=root)
    (tmp_path / "root.pem").write_bytes(middle.public_bytes(Encoding.PEM))
    [(*place, said)], places = told(tmp_path)
    assert [tuple(place)] == places
    assert said == (
        "root.pem: no root for a gateway: it is an intermediate authority, issued by "
        "CN=Corp Root; upload the certificate of CN=Corp Root"
    )


@pytest.mark.parametrize("change", ["update", "create"])
def test_what_a_change_uploads_is_told(change: str, tmp_path: Path) -> None:
    root = made.issue(made.name("Corp Root"), made.constraints(ca=True))
    middle, _ = made.issue(made.name("Corp Issuing"), made.constraints(ca=True), by=root)
    (tmp_path / "middle.pem").write_bytes(middle.public_bytes(Encoding.PEM))
    row = '{name: m, properties: {publicCertData: "${middle.publicCertData}"}}'
    properties = f"{{vpnClientConfiguration: {{vpnClientRootCertificates: [{row}]}}}}"
    text, [place] = spoil(
        ("contoso-root: {}", "contoso-root: {}\n  middle: {certificate: «middle.pem}"),
        (
            "{reaches: alice, host: app1, port: 80}",
            ("{delete: contoso-gw}\n  - " if change == "create" else "")
            + f"{{{change}: contoso-gw, properties: {properties}}}",
        ),
    )
    [(*found, said)] = problems(text, tmp_path)
    assert tuple(found) == place
    assert "it is an intermediate authority" in said


def test_a_file_that_no_gateway_gets_may_be_any_authority(tmp_path: Path) -> None:
    root = made.issue(made.name("Corp Root"), made.constraints(ca=True))
    middle, _ = made.issue(made.name("Corp Issuing"), made.constraints(ca=True), by=root)
    (tmp_path / "middle.pem").write_bytes(middle.public_bytes(Encoding.PEM))
    found, _ = told(tmp_path, "contoso-root: {}\n  middle: {certificate: middle.pem}")
    assert found == []
