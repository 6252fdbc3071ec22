"""Whatever root is taken, openvpn's OpenSSL loads it as well, and it breaks no other root."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from gateway.arm.rules.certificates import root_flaw
from gateway.openvpn.roots import Roots
from gateway.policy import trust
from gateway.ppp import tls_contexts
from tests.unit.gateway.common import test_anchors as made

KEYS: tuple[Callable[[], Any], ...] = (
    lambda: ec.generate_private_key(ec.SECP256R1()),
    lambda: ec.generate_private_key(ec.SECP384R1()),
    lambda: rsa.generate_private_key(65537, 1024),
    ed25519.Ed25519PrivateKey.generate,
)
DIRECTORY = [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.DOMAIN_COMPONENT,
             NameOID.EMAIL_ADDRESS, NameOID.SERIAL_NUMBER]  # fmt: skip
LETTERS = "aB0 =,+\"\\/#;<>'äß\u4e2d\u0416"
TODAY = datetime.now(UTC)
VALIDITIES = [(TODAY - timedelta(1), TODAY + timedelta(9)),
              (datetime(1950, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
              (datetime(1950, 1, 1, tzinfo=UTC), datetime(1950, 1, 2, tzinfo=UTC))]  # fmt: skip


def some_name(chance: random.Random) -> x509.Name:
    texts = ["".join(chance.choices(LETTERS, k=chance.randrange(1, 30))) for _ in range(3)]
    kinds = chance.sample(DIRECTORY, chance.randrange(4))
    return x509.Name(
        [
            x509.NameAttribute(kind, text if kind not in DIRECTORY[2:] else f"x{len(text)}")
            for kind, text in zip(kinds, texts, strict=False)
        ]
    )


def some_root(chance: random.Random) -> tuple[x509.Certificate, Any]:
    pool = [extension for extensions, _ in made.ROOTS.values() for extension in extensions]
    chosen = {one[0].oid: one for one in chance.sample(pool, chance.randrange(4))}
    chosen = {made.constraints(ca=True)[0].oid: made.constraints(ca=True)} | chosen
    if chance.random() < 0.2:
        chosen = {}
    serial = chance.choice((1, 2**64, 2**158))
    valid = chance.choice(VALIDITIES)
    key = chance.choice(KEYS)()
    return made.issue(some_name(chance), *chosen.values(), key=key, serial=serial, valid=valid)


@pytest.mark.parametrize("seed", range(40))
async def test_a_root_that_is_taken_breaks_no_other(seed: int, tmp_path: Path) -> None:
    root, key = some_root(random.Random(seed))
    if root_flaw(root):
        return
    good = made.issue(made.name("good"), made.constraints(ca=True), **lasting(root))
    whose = {name: made.issue(made.name(name), made.CLIENT, by=by, **lasting(root))[0]
             for name, by in (("odd", (root, key)), ("usual", good))}  # fmt: skip
    at = root.not_valid_before_utc + timedelta(hours=12)
    server, server_key = made.issue(made.name("server"))
    context = tls_contexts.server_context(server, server_key)
    tls_contexts.name_client_roots(context, (root, good[0]))
    assert isinstance(context, SSL.Context)
    await Roots(tmp_path).write((root, good[0]))
    known = trust.Roots((root, good[0]))
    for name, client in whose.items():
        finding = trust.examine((made.der(client),), known, at)
        assert "subtree" in finding.message or finding.reason is None, (name, finding)
        if finding.reason is None:
            verified(tmp_path, client, at)


def lasting(root: x509.Certificate) -> dict[str, Any]:
    return {"valid": (root.not_valid_before_utc, root.not_valid_after_utc)}


def verified(directory: Path, client: x509.Certificate, at: datetime) -> None:
    """By the program's OpenSSL, which is openvpn's and not Python's."""
    file = directory / "client.pem"
    file.write_bytes(client.public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-purpose", "sslclient", "-attime", str(int(at.timestamp())),
               "-CApath", str(directory / "roots"), str(file)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_most_of_the_roots_tried_are_taken() -> None:
    taken = [root_flaw(some_root(random.Random(seed))[0]) is None for seed in range(40)]
    assert 10 < sum(taken) < 40
