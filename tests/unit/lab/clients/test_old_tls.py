"""An obsolete ClientHello against a current TLS library."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.clients.old_tls import Agreed, Alert, client_hello, read_answer
from lab.pki.authority import sign
from lab.topology.model.tls import CIPHER_SUITES, CipherSuite, TlsVersion
from lab.topology.planning.plan import CertificatePlan


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    server = sign(CertificatePlan("gw", "gw.test", None, "server", ("gw.test",)), key, None)
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(server.chain_pem + server.key_pem)
    return path


def answer(
    server: Path, ciphers: str, suites: list[CipherSuite], newest: TlsVersion = "1.2"
) -> bytes:
    """What OpenSSL answers to our ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(theirs, ours, server_side=True)
    theirs.write(client_hello(suites, newest, "gw.test", bytes))
    with pytest.raises(ssl.SSLError):
        tls.do_handshake()
    return ours.read()


def test_a_server_that_has_none_of_the_suites_refuses_with_an_alert(server_files: Path) -> None:
    said = answer(
        server_files,
        "ECDHE+AESGCM:kRSA+AESGCM",
        ["TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"],
    )
    assert read_answer(said) == Alert("handshake failure")


def test_a_server_that_has_one_of_them_takes_it(server_files: Path) -> None:
    suite: CipherSuite = "TLS_RSA_WITH_AES_128_CBC_SHA"
    said = answer(server_files, "AES128-SHA:@SECLEVEL=0", ["TLS_RSA_WITH_RC4_128_SHA", suite])
    assert read_answer(said) == Agreed(CIPHER_SUITES[suite])


def test_a_server_that_wants_a_newer_version_says_so(server_files: Path) -> None:
    said = answer(server_files, "AES128-SHA", ["TLS_RSA_WITH_AES_128_CBC_SHA"], "1.1")
    assert read_answer(said) == Alert("protocol version")


def test_an_answer_that_is_not_whole_is_waited_for() -> None:
    whole = bytes.fromhex("15030300020228")
    assert [read_answer(whole[:length]) for length in range(len(whole))] == [None] * len(whole)
    assert read_answer(whole) == Alert("handshake failure")


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert read_answer(data) is None or len(data) >= 5
