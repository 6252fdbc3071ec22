"""Roots and thumbprints that Azure refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gateway.arm.rules.judging import judge, revoked, roots


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
