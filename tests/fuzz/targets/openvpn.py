"""What the gateway reads from openvpn's management interface. Words in it are strangers'."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import random
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.engine import Settings
from gateway.openvpn import management
from gateway.openvpn.engine import OpenVpnEngine
from gateway.openvpn.exported_certificates import KeptCertificates
from gateway.openvpn.management import LONGEST_LINE, Management
from tests.fuzz.engine import Target
from tests.fuzz.mutations import of_bytes, of_text
from tests.fuzz.targets import keys
from tests.fuzz.targets.gateways import GOOD, LIMIT, REVOKED, Tasks, engine_context, look


def openvpn_seeds() -> list[bytes]:
    environment = (
        "n_clients=0", "tls_id_1=CN=root", "X509_1_CN=root", f"tls_digest_1={'AA:' * 19}AA",
        f"tls_digest_sha256_1={sha256(keys.authority('ec'))}",
        f"tls_digest_sha256_0={sha256(GOOD)}", "tls_serial_1=1", "tls_id_0=CN=alice",
        f"tls_digest_0={'CC:' * 19}CC", "common_name=alice", "untrusted_ip=192.0.2.9",
        "untrusted_port=1234", "trusted_ip=192.0.2.9", "trusted_port=1234", "password=x",
        "IV_SSL=OpenSSL_3", "time_ascii=now",
    )  # fmt: skip

    def client(kind: str, cid: int, *changes: str) -> str:
        lines = [*environment, *changes]
        head = f">CLIENT:{kind},{cid}" + (",1" if kind in ("CONNECT", "REAUTH") else "")
        return "\r\n".join(
            (head, *(f">CLIENT:ENV,{line}" for line in lines), ">CLIENT:ENV,END", "")
        )

    log = "\n".join(
        f">LOG:1764450000,{flag},{text}"
        for flag, text in (
            ("I", "192.0.2.9:1 TCP connection established"),
            ("N", "192.0.2.9:1 VERIFY ERROR: depth=0, error=certificate has expired: CN=alice"),
            ("N", "alice/192.0.2.9:2 VERIFY ERROR: depth=0, error=revoked: O=x, CN=a, CN=b"),
            ("N", "192.0.2.9:3 TLS error: peer did not return a certificate"),
            ("D", "192.0.2.9:4 no shared cipher"),
        )
    )  # fmt: skip
    issuer = sha256(keys.authority("rsa"))
    revoked = f"tls_digest_sha256_0={sha256(REVOKED)}", f"tls_digest_sha256_1={issuer}"
    status = (
        "TITLE\tOpenVPN\nHEADER\tCLIENT_LIST\tCommon Name\tBytes Received\tBytes Sent\tClient ID\n"
        "CLIENT_LIST\talice\t10\t20\t0\nEND\n"
    )
    texts = (
        f">INFO:OpenVPN\n{log}\n>STATE:1764450000,CONNECTED,SUCCESS,172.16.9.1,\nSUCCESS: log on\n",
        client("CONNECT", 0) + client("ESTABLISHED", 0) + client("REAUTH", 0) + status
        + client("DISCONNECT", 0),
        "".join(client("CONNECT", n) + client("ESTABLISHED", n) for n in range(LIMIT + 2)),
        client("CONNECT", 1, *revoked) + client("ESTABLISHED", 1) + "ERROR: no\nSUCCESS: yes\n",
        client("CONNECT", 2, "untrusted_ip=fe80::1") + client("CONNECT", 3, "untrusted_ip="),
    )  # fmt: skip
    return [text.encode() for text in texts]


class FakeLink:
    """openvpn that obeys."""

    connected = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, command: bytes) -> None:
        self.sent.append(command)

    def send_together(self, *commands: bytes) -> None:
        self.sent += commands


@cache
def kept() -> Path:
    """A directory of the engine's, with certificates that openvpn has kept."""
    place = Path(tempfile.mkdtemp())
    KeptCertificates(place).prepare()
    for one in (GOOD, REVOKED, keys.authority("ec"), keys.authority("rsa")):
        pem = one.certificate.public_bytes(Encoding.PEM)
        (place / "certificates" / sha256(one)).write_bytes(pem)
    return place


def sha256(one: keys.Credential) -> str:
    """As openvpn writes it."""
    return hashlib.sha256(keys.der(one)).digest().hex(":")


def openvpn(data: bytes) -> None:
    """Any lines: events, the same wherever the stream is cut; nobody in whom the gate refuses, and
    no line of a command that a client's words began.
    """
    reader, pieces = Management(), Management()
    events = reader.feed(data)
    dice = random.Random(len(data))
    cut, at = [], 0
    while at < len(data):
        size = dice.choice((1, 7, 400, 9000))
        cut += pieces.feed(data[at : at + size])
        at += size
    if max(map(len, data.split(b"\n"))) <= LONGEST_LINE:
        assert cut == events
    assert len(pieces._buffer) <= LONGEST_LINE
    with redirect_stderr(io.StringIO()):
        asyncio.run(_openvpn(events))
    assert management.client_deny("1", "1", data.decode("latin-1"), "").count(b"\n") == 1


async def _openvpn(events: Sequence[management.Event]) -> None:
    around = engine_context(state=kept())
    engine = OpenVpnEngine(around)
    engine._settings = Settings((), (IPv4Network("172.16.9.0/29"),), (), ())
    link, tasks = FakeLink(), Tasks()
    engine._link, engine._background = link, tasks  # type: ignore[assignment]
    for event in events:
        engine._on(event)
        await tasks.done()
    look(around)
    json.dumps(around.log.documents())
    for command in link.sent:
        word = command.split(b" ")[0]
        assert word in (b"client-auth", b"client-auth-nt", b"client-pending-auth", b"client-deny")
        assert command.endswith(b"\n")
        assert command.count(b"\n") == 1 or word == b"client-auth"


def mutate_lines(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return (of_bytes if dice.randrange(4) == 0 else of_text)(dice, data, others)


TARGETS = (
    Target("openvpn", openvpn_seeds, openvpn, ("gateway/openvpn/",), mutate_lines,
           quick=100, cpu=0.5),
)  # fmt: skip
