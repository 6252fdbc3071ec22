"""What a RADIUS server takes, by its own configuration, beside what a client has."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from lab.explain.methods import MethodsSeen, methods_in, versions_in
from lab.world import Changed, Deed
from radius.methods import Method
from radius.reasons import Refusal
from tests.unit.lab.explain.test_dial import attempt, broken, document, record
from tests.unit.radius.test_freeradius import INSTANCE, main_file

SEEN = MethodsSeen(
    ("nps's configuration has EAP-TLS",), ("nps takes TLS 1.2 alone",), ("sending EAP_NAK",)
)
CHARONS = "charon {\n  tls {\n    version_min = 1.0\n    version_max = 1.1\n  }\n}\n"


@pytest.mark.parametrize(
    "methods",
    [
        ("PAP",),
        ("MS-CHAPv2",),
        ("EAP-MSCHAPv2",),
        ("PAP", "MS-CHAPv2"),
        ("MS-CHAPv2", "EAP-MSCHAPv2"),
    ],
)
def test_a_servers_methods_are_read_from_its_configuration(methods: tuple[str, ...]) -> None:
    text = main_file(replace(INSTANCE, methods=cast("tuple[Method, ...]", methods)))
    assert sorted(methods_in(text)) == sorted(methods)


def test_tls_versions_are_read_of_both_ends() -> None:
    assert versions_in(CHARONS) == [
        "TLS 1.0 to TLS 1.1 (its configuration: version_min = 1.0, version_max = 1.1)"
    ]
    servers = ' tls_min_version = "1.2"\n tls_max_version = "1.2"\n'
    [words] = versions_in(servers)
    assert words.startswith("TLS 1.2 alone (its configuration: tls_min_version = 1.2, ")
    assert versions_in("charon {\n}\n") == []


def test_both_ends_are_named_where_they_have_no_method_in_common() -> None:
    told = Refusal("alice", "no-method", "eap: No mutually acceptable types found")
    one = attempt(record=record("refused"), told=told, methods=SEEN)
    found = broken(one)
    assert found.layer == "radius-verdict"
    assert "the client has a password, and nps's configuration has EAP-TLS" in found.cause
    assert "the client's charon: sending EAP_NAK" in found.proof
    certificate = broken(replace(one, thumbprint="A" * 40))
    assert "the client has a certificate (EAP-TLS)" in certificate.cause


def test_a_changed_authentication_has_its_moment() -> None:
    key = "vpnClientConfiguration.vpnAuthenticationTypes"
    changed = Changed("gw", {key: (["Certificate"], ["Radius"])})
    deed = Deed(0.0, "update", "gw", "update gw", "accepted", changed=changed)
    one = attempt(record=record("refused"), told=Refusal("alice", "unknown-user", "no such user"),
                  document=document(vpnAuthenticationTypes=["Radius"]), deeds=(deed,))  # fmt: skip
    since = "vpnAuthenticationTypes is Radius since an update at 1970-01-01T00:00:00.000+00:00"
    assert since in broken(one).cause
    assert "update" not in broken(replace(one, deeds=())).cause


def test_a_tls_that_the_server_does_not_speak_is_no_fault_of_the_certificate() -> None:
    told = Refusal("judy", "certificate", "eap_tls: (TLS) Alert write:fatal:protocol version")
    one = attempt(record=record("refused"), told=told, methods=SEEN)
    assert broken(one).layer == "tls"
    assert broken(one).cause.endswith("for EAP-TLS: nps takes TLS 1.2 alone")
    other = replace(one, told=replace(told, message="eap_tls: certificate has expired"))
    assert broken(other).layer == "certificate"
