"""The gateway program with SSTP: refused users, and invalid data from strangers."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.sstp.protocol.events import Refused
from gateway.sstp.protocol.tamper import Tamper
from lab.topology.planning.plan import CertificatePlan
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.sstp_bench import (
    caller,
    connected,
    counters,
    off,
    outcome,
    refusals,
    tcp,
)


def test_each_bad_certificate_has_its_reason_in_the_log(tmp_path: Path) -> None:
    reasons = {
        "mallory": "untrusted",
        "expired": "expired",
        "future": "not-yet-valid",
        "no-purpose": "no-client-auth",
        "bob": "revoked",
    }

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP", revoked=("bob",)))
        for count, (name, reason) in enumerate(reasons.items(), 1):
            assert isinstance(await outcome(bench, name), Refused)
            record = (await refusals(bench, count))[-1]
            assert (record["user"], record["reason"]) == (name, reason)
            assert record["publicIpAddress"] == "192.0.2.2"
            assert record["thumbprint"] == bench.credentials[name].thumbprint
        assert await bench.gateway.sessions() == []

    on_a_gateway(
        tmp_path,
        test,
        CertificatePlan("other-root", "Other", None, "root"),
        client("mallory", issuer="other-root"),
        client("expired", days_before=9, days_after=-1),
        client("future", days_before=-2),
        client("no-purpose", client_auth=False),
        client("bob"),
    )


def test_a_certificate_of_an_intermediate_comes_in_by_its_chain(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP", revoked=("revoked",)))
        await connected(bench, "good")
        await outcome(bench, "revoked", "pc2")
        assert [r["reason"] for r in await refusals(bench, 1)] == ["revoked"]

    on_a_gateway(
        tmp_path,
        test,
        CertificatePlan("intermediate", "Contoso Issuing", "root", "intermediate"),
        client("good", issuer="intermediate"),
        client("revoked", issuer="intermediate"),
    )


TAMPERED = {
    "nonce": Tamper(wrong="nonce"),
    "certificate-hash": Tamper(wrong="certificate hash"),
    "mac": Tamper(wrong="MAC"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_binding_is_refused_with_its_reason(tmp_path: Path, what: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        await outcome(bench, "mallory", tamper=TAMPERED[what])
        (record,) = await refusals(bench, 1)
        assert (record["reason"], record["user"]) == ("binding", "mallory")
        assert await bench.records("connected") == []
        assert await bench.gateway.sessions() == []
        await connected(bench, "mallory")

    on_a_gateway(tmp_path, test, client("mallory"))


def test_a_packet_before_the_binding_goes_nowhere_and_is_counted(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        packet = b"\x45\0\0\x14" + bytes(16)
        await connected(bench, "alice", tamper=Tamper(early=packet))
        counted = await counters(bench)
        assert counted["frames barred"] == 1
        assert [counted[f"packets {word}"] for word in ("malformed", "spoofed")] == [0, 0]

    on_a_gateway(tmp_path, test, client("alice"))


def hello(version: int, *suites: int, extensions: str = "000d0006 0004 0401 0301") -> bytes:
    """A ClientHello that takes RSA with SHA-256 (RFC 5246 section 7.4.1.2 and 7.4.1.4.1)."""
    listed = b"".join(suite.to_bytes(2, "big") for suite in suites)
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + len(listed).to_bytes(2, "big") + listed
    extra = bytes.fromhex(extensions)
    body += b"\x01\0" + len(extra).to_bytes(2, "big") + extra
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


AES128_SHA, DES3_SHA, RC4_MD5, RC4_SHA = 0x002F, 0x000A, 0x0004, 0x0005
AES128_SHA256 = 0x003C
OLD = {
    "TLS 1.0": (hello(0x0301, AES128_SHA), 70),
    "TLS 1.1": (hello(0x0302, AES128_SHA), 70),
    "TLS 1.3 alone": (hello(0x0303, 0x1301, extensions="002b0003 02 0304"), 70),
    "3DES and RC4": (hello(0x0303, DES3_SHA, RC4_MD5, RC4_SHA), 40),
    "AES with SHA-1": (hello(0x0303, AES128_SHA), 40),
}
"""What is sent, and the alert that answers it: protocol_version or handshake_failure."""


@pytest.mark.parametrize("what", OLD)
def test_old_versions_and_weak_suites_are_refused_with_their_reason(
    tmp_path: Path, what: str
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        sent, alert = OLD[what]
        answer = await exchange(bench, sent)
        assert (answer[0], *answer[5:]) == (0x15, 2, alert)
        (record,) = await refusals(bench, 1)
        assert record["reason"] == "tls"
        assert record["publicIpAddress"] == "192.0.2.2"
        assert (await exchange(bench, hello(0x0303, AES128_SHA256)))[:1] == b"\x16"

    on_a_gateway(tmp_path, test)


async def exchange(bench: Bench, data: bytes) -> bytes:
    """What is answered to these bytes on TCP."""
    with await tcp(bench) as stream:
        stream.settimeout(5)

        def talk() -> bytes:
            stream.sendall(data)
            return stream.recv(65536)

        return await off(talk)


async def https(bench: Bench, data: bytes) -> bytes:
    """What is answered to these bytes over TLS, to the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    stream = await tcp(bench)
    stream.settimeout(5)

    def talk() -> bytes:
        with context.wrap_socket(stream) as secured:
            secured.sendall(data)
            answer = b""
            while part := secured.recv(65536):
                answer += part
            return answer

    return await off(talk)


STRANGERS = {
    "a browser": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405 "),
    "nonsense": (b"\xff\xfe\xfd\r\n", b"HTTP/1.1 400 "),
    "a wrong path": (
        b"SSTP_DUPLEX_POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 404 ",
    ),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_is_answered_logged_and_counted(tmp_path: Path, who: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        sent, answer = STRANGERS[who]
        assert (await https(bench, sent)).startswith(answer)
        (record,) = await refusals(bench, 1)
        assert record["reason"] == "protocol"
        assert (await counters(bench))["refused: protocol"] == 1

    on_a_gateway(tmp_path, test)


def test_who_is_silent_at_any_step_does_not_hold_others_up(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        steps = ("http", "request", "ppp", "authentication", "binding", "network")
        silent = [await caller(bench, "mallory", tamper=Tamper(silent_at=s)) for s in steps]  # type: ignore[arg-type]
        for one in silent:
            await off(lambda one=one: one.turn(3))  # type: ignore[misc]
        alice = await connected(bench, "alice", "pc2")
        assert await off(lambda: alice.ping(PRIVATE))
        assert [r["vpnUserName"] for r in await bench.gateway.sessions()] == ["alice"]

    on_a_gateway(tmp_path, test, client("alice"), client("mallory"))
