"""Certificates read out of a TLS flight: the same ones that OpenSSL reads, or a refusal."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from gateway.eap_tls.worker.flights import MOST, certificates
from gateway.ppp.tls_messages import Handshake
from tests.unit.gateway.ppp.certificates import client_tls, credential, server_tls


def record(kind: int, body: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2) + body


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3) + body


def chain(*certificates: bytes) -> bytes:
    inside = b"".join(len(one).to_bytes(3) + one for one in certificates)
    return len(inside).to_bytes(3) + inside


CERTIFICATE = message(11, chain(b"leaf", b"issuer"))


def test_a_real_clients_certificates_are_read_as_openssl_reads_them() -> None:
    server, client = Handshake(server_tls(), server=True), Handshake(client_tls(), server=False)
    hello = client.step(b"")
    assert certificates(hello) is None
    flight = client.step(server.step(hello))
    expected = tuple(
        one.public_bytes(Encoding.DER)
        for one in (
            credential("alice", "user root").certificate,
            credential("user root").certificate,
        )
    )
    assert certificates(flight) == expected
    server.step(flight)
    assert server.chain() == expected


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_message_may_lie_in_several_records(size: int) -> None:
    pieces = [CERTIFICATE[at : at + size] for at in range(0, len(CERTIFICATE), size)]
    flight = b"".join(record(22, piece) for piece in pieces) + record(20, b"\1")
    assert certificates(flight) == (b"leaf", b"issuer")


@pytest.mark.parametrize(
    "flight",
    [b"", record(21, b"\2\x30"), record(20, b"\1") + record(22, CERTIFICATE),
     record(22, message(16, b"key")), record(23, CERTIFICATE), b"\x17\3"],
)  # fmt: skip
def test_where_there_are_none_there_are_none(flight: bytes) -> None:
    assert certificates(flight) is None


def test_an_empty_list_is_one() -> None:
    assert certificates(record(22, message(11, chain()))) == ()


@pytest.mark.parametrize(
    "flight",
    [
        record(22, CERTIFICATE)[:-1],
        record(22, CERTIFICATE[:-1]),
        record(22, CERTIFICATE[:3]),
        record(22, CERTIFICATE[:20]) + record(20, b"\1"),
        b"\x16\3\3",
        record(22, message(11, b"\0\0")),
        record(22, message(11, b"\0\0\x09\0\0\4leaf")),
        record(22, message(11, b"\0\0\x05\0\0\4le")),
        record(22, message(11, b"\0\0\2\0\0")),
    ],
)
def test_what_is_not_whole_is_refused(flight: bytes) -> None:
    with pytest.raises(ValueError, match=r"incomplete|length"):
        certificates(flight)


def test_of_very_many_only_some_are_taken_out() -> None:
    found = certificates(record(22, message(11, chain(*[b"x"] * 3000))))
    assert found is not None
    assert len(found) == MOST


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda b: record(22, b)))
def test_no_bytes_raise_anything_else(flight: bytes) -> None:
    try:
        found = certificates(flight)
    except ValueError:
        return
    assert found is None or sum(map(len, found)) <= len(flight)
