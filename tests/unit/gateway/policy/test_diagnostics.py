"""Log records, in which a name can never be more than a name."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.diagnostics import DiagnosticLog, TunnelLog

ODD = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.sampled_from([
        'bob" message="connected',
        "bob\n2026-11-29T00:00:00.000+00:00 OpenVPN refused reason=revoked",
        "bob\u202e\u2066\u200f",
        "bob\ud800",
        "bob reason=revoked: x\r\x85\u2028",
        "\\" * 3 + '"',
    ]),
)  # fmt: skip
_LINE = re.compile(
    r'(?P<time>\S+) OpenVPN refused reason="revoked"'
    r"(?P<fields>(?: (?:user|publicIpAddress|publicPort|thumbprint|serialNumber|radiusServer"
    r'|message)="(?:[^"\\]|\\.)*")*)'
)
_FIELD = re.compile(r' (?P<name>\w+)=(?P<value>"(?:[^"\\]|\\.)*")')
_ABOUT = ("user", "address", "port", "thumbprint", "serial", "radius_server")


@given(about=st.fixed_dictionaries(dict.fromkeys(_ABOUT, ODD)), message=ODD)
def test_every_field_is_printable_and_apart_from_the_others(
    about: dict[str, str], message: str
) -> None:
    log = DiagnosticLog()
    with pytest.MonkeyPatch.context() as patched:
        lines: list[str] = []
        patched.setattr("sys.stderr.write", lines.append)
        log.add("refused", "OpenVPN", message, reason="revoked", **about)
    (record,) = log.documents()
    assert all(value.isprintable() for value in record.values())
    json.dumps(record, ensure_ascii=False).encode()  # as the API does
    (line,) = lines
    assert line[:-1].isprintable()
    found = _LINE.fullmatch(line.removesuffix("\n"))
    assert found, line
    fields = {part["name"]: json.loads(part["value"]) for part in _FIELD.finditer(found["fields"])}
    names = (
        *("user", "publicIpAddress", "publicPort", "thumbprint", "serialNumber"),
        *("radiusServer", "message"),
    )
    assert fields == {name: record[name] for name in names if record[name]}


@given(ODD, ODD)
def test_a_tunnels_record_is_printable_too(peer: str, message: str) -> None:
    log = TunnelLog()
    with pytest.MonkeyPatch.context() as patched:
        lines: list[str] = []
        patched.setattr("sys.stderr.write", lines.append)
        log.add("head-office", "Connected", peer, message)
    (record,) = log.documents()
    assert all(value.isprintable() for value in record.values())
    assert [line.count("\n") for line in lines] == [1]


def test_a_message_has_a_bound() -> None:
    log = DiagnosticLog()
    log.add("engine", "SSTP", "x" * 100_000, user="y" * 100_000)
    (record,) = log.documents()
    assert (len(record["message"]), len(record["user"])) == (2000, 512)
