"""Both implementations of TlsConnection behave alike."""

from __future__ import annotations

import random
import socket
import ssl
import warnings

import pytest
from OpenSSL import SSL

from gateway.dataplane.tls import RECORD, TlsConnection
from tests.unit.gateway.dataplane.pieces import KINDS, connected, contexts

BOTH = pytest.mark.parametrize("kind", KINDS)


def ends(kind: str) -> tuple[TlsConnection, socket.socket]:
    server_side, client_side = socket.socketpair()
    return KINDS[kind](server_side, contexts()[0]), client_side


@BOTH
def test_it_is_tls_1_2_with_forward_secrecy(kind: str) -> None:
    connection, client = connected(kind)
    assert connection.version == "TLSv1.2"
    assert connection.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"
    connection.close()
    client.connection.close()


AZURES = {
    *(f"ECDHE-{signed}-AES{bits}-GCM-SHA{digest}" for signed in ("ECDSA", "RSA")
      for bits, digest in ((128, 256), (256, 384))),
    *(f"ECDHE-{signed}-AES{bits}-SHA{digest}" for signed in ("ECDSA", "RSA")
      for bits, digest in ((128, 256), (256, 384))),
    *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256", "AES256-SHA256"),
}  # fmt: skip
"""Azure's suites (docs/facts.md §3), as OpenSSL calls them."""


def test_the_cipher_suites_are_azures_and_no_others() -> None:
    server, _ = contexts()
    assert (server.minimum_version, server.maximum_version) == (ssl.TLSVersion.TLSv1_2,) * 2
    # Those of TLS 1.3, which OpenSSL lists apart, are of no use at 1.2.
    assert {c["name"] for c in server.get_ciphers() if c["protocol"] != "TLSv1.3"} == AZURES


@BOTH
def test_more_than_the_kernel_takes_is_kept_and_comes_in_order(kind: str) -> None:
    connection, client = connected(kind)
    data = random.Random(1).randbytes(3_000_000)
    buffer = bytearray(data)
    connection.write([buffer[:1_000_000], memoryview(buffer)[1_000_000:]])
    buffer[:] = bytes(len(buffer))  # ours again
    assert connection.wants_write
    got = b""
    while len(got) < len(data):
        connection.flush()
        got += client.connection.read()
    assert got == data
    assert not connection.wants_write
    connection.close()
    client.connection.close()


@BOTH
def test_reading_leaves_no_buffered_data_that_the_socket_does_not_report(kind: str) -> None:
    connection, client = connected(kind)
    client.connection.write([bytes([number]) * RECORD for number in range(10)])
    client.connection.flush()
    view = memoryview(bytearray(2 * RECORD + 8000))
    got = b""
    while len(got) < 10 * RECORD:
        client.connection.flush()
        amount = connection.read_into(view)
        assert amount
        got += view[:amount]
    assert got == b"".join(bytes([number]) * RECORD for number in range(10))
    assert connection.read_into(view) == 0
    assert not connection.ended
    connection.close()
    client.connection.close()


@BOTH
def test_each_piece_begins_a_record_of_its_own(kind: str) -> None:
    connection, client = connected(kind)
    connection.write([b"a" * 20000, b"b" * 40])
    sent = client.stream.recv(65536)
    sizes = []
    while sent:
        size = int.from_bytes(sent[3:5], "big")
        sizes.append(size - 24)  # nonce and tag of AES-GCM (RFC 5288)
        sent = sent[5 + size :]
    assert sizes == [RECORD, 20000 - RECORD, 40]
    connection.close()
    client.connection.close()


@BOTH
def test_a_peer_that_closes_with_or_without_close_notify_has_closed(kind: str) -> None:
    for goodbye in (True, False):
        connection, client = connected(kind)
        client.connection.write([b"last words"])
        if goodbye:
            client.connection.shutdown()
        client.connection.close()
        assert connection.read() == b"last words"
        connection.read()
        assert connection.ended == "closed by the peer"
        connection.write([b"x" * 100_000])
        connection.flush()
        connection.shutdown()
        connection.close()


@BOTH
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("TLSv1_1", "DEFAULT:@SECLEVEL=0"), "UNSUPPORTED_PROTOCOL"),
        (("TLSv1_2", "AES128-SHA:@SECLEVEL=0"), "NO_SHARED_CIPHER"),
    ],
)
def test_an_old_version_and_old_ciphers_are_refused_with_the_reason(
    kind: str, change: tuple[str, str], reason: str
) -> None:
    connection, client_side = ends(kind)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(change[1])
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of TLS 1.1
        context.minimum_version = context.maximum_version = ssl.TLSVersion[change[0]]
    hello = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), hello)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    client_side.send(hello.read())
    assert not connection.handshake()
    assert connection.ended == f"TLS: {reason}"
    assert connection.openssl_reason == reason
    assert client_side.recv(100)[0] == 21  # an alert
    connection.close()
    client_side.close()


@BOTH
@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70000), b""]
)
def test_what_is_no_handshake_ends_it(kind: str, said: bytes) -> None:
    connection, client_side = ends(kind)
    client_side.sendall(said)
    client_side.shutdown(socket.SHUT_WR)
    for _ in range(3):
        assert not connection.handshake()
    assert connection.ended
    connection.close()
    client_side.close()


def test_a_peer_that_wants_to_renegotiate_is_told_no_and_is_done_with() -> None:
    """OpenSSL alone would refuse each of its ClientHellos and keep the refusals for it."""
    connection, client_side = ends("memory")
    client_side.settimeout(5)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    complete = False
    while not complete:
        try:
            client.do_handshake()
        except SSL.WantReadError:
            client_side.sendall(client.bio_read(65536))
            complete = connection.handshake()
            client.bio_write(client_side.recv(65536))
    client.do_handshake()
    client.send(b"before")
    assert client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    client_side.sendall(client.bio_read(65536))
    assert connection.read() == b"before"
    assert connection.ended == "TLS: the peer wants to renegotiate"
    connection.shutdown()
    assert client_side.recv(65536)[0] == 21  # an alert
    connection.close()
    client_side.close()


@BOTH
def test_garbage_after_the_handshake_ends_it(kind: str) -> None:
    connection, client = connected(kind)
    client.stream.send(b"\x17\x03\x03\x00\x30" + bytes(48))
    assert connection.read() == b""
    assert connection.ended == "TLS: DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    connection.close()
    client.connection.close()
