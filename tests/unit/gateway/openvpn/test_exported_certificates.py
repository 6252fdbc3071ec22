"""Certificates exported by openvpn: stored by a real shell, read by their digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.openvpn import exported_certificates
from gateway.openvpn.exported_certificates import KeptCertificates


def digest(der: bytes) -> str:
    return hashlib.sha256(der).digest().hex(":")


class Bench:
    """Does what openvpn does for each certificate."""

    def __init__(self, state: Path, pki: Any) -> None:
        self.state, self.pki = state, pki
        self.kept = KeptCertificates(state)
        self.kept.prepare()

    def der(self, name: str) -> bytes:
        der: bytes = self.pki[name].public_bytes(Encoding.DER)
        return der

    def verify(self, depth: int, name: str, claimed: str | None = None) -> int:
        exported = self.state / "exported" / "pef_1.tmp"
        exported.write_bytes(self.pki[name].public_bytes(Encoding.PEM))
        env = {
            "PATH": os.environ["PATH"],
            "peer_cert": str(exported),
            f"tls_digest_sha256_{depth}": claimed or digest(self.der(name)),
        }
        command = ["/bin/sh", str(self.state / "keep-certificate.sh"), str(depth), "CN=$(id)"]
        code = subprocess.run(command, env=env, check=False).returncode
        exported.unlink()  # as openvpn does
        return code

    def env(self, *names: str) -> dict[str, str]:
        return {
            f"tls_digest_sha256_{depth}": digest(self.der(name)) for depth, name in enumerate(names)
        } | {"tls_digest_sha256_": "x", "tls_digest_0": "AA", "common_name": "x"}


@pytest.fixture
def bench(tmp_path: Path, pki: Any) -> Bench:
    return Bench(tmp_path / "openvpn", pki)


def test_a_chain_is_read_as_openvpn_verified_it(bench: Bench) -> None:
    names = ("carol", "second-intermediate", "intermediate", "root")
    assert [bench.verify(depth, name) for depth, name in reversed(list(enumerate(names)))] == [
        0
    ] * 4
    assert bench.verify(0, "alice") == 0  # another client between
    assert bench.kept.chain(bench.env(*names)) == tuple(map(bench.der, names))
    assert bench.verify(0, "carol") == 0  # a second computer with the same one
    assert bench.kept.chain(bench.env("carol")) == (bench.der("carol"),)


def test_a_certificate_that_was_not_exported_is_an_error(bench: Bench) -> None:
    with pytest.raises(ValueError, match="exported no certificate"):
        bench.kept.chain(bench.env("alice"))


def test_a_file_with_a_different_certificate_is_an_error(bench: Bench) -> None:
    bench.verify(0, "bob", claimed=digest(bench.der("alice")))
    with pytest.raises(ValueError, match="a different certificate"):
        bench.kept.chain(bench.env("alice"))


@pytest.mark.parametrize(
    "env", [{"tls_digest_sha256_1": "aa"}, {"tls_digest_sha256_0": "nonsense"},
            {"tls_digest_sha256_0": "../../etc/passwd"}, {"tls_digest_sha256_0": ""}]
)  # fmt: skip
def test_an_environment_without_a_complete_chain_is_refused(
    bench: Bench, env: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"complete chain|fromhex|exported no certificate"):
        bench.kept.chain(env)


def test_openvpn_refuses_if_the_export_fails(bench: Bench) -> None:
    (bench.state / "certificates").rmdir()
    assert bench.verify(0, "alice") != 0


def test_only_the_newest_stay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported_certificates, "MOST_KEPT", 2)
    for age, name in enumerate(("alice", "bob", "carol")):
        bench.verify(0, name)
        kept = bench.state / "certificates" / digest(bench.der(name))
        os.utime(kept, (age, age))
    bench.kept.prune()
    with pytest.raises(ValueError, match="exported no certificate"):
        bench.kept.chain(bench.env("alice"))
    assert bench.kept.chain(bench.env("bob")) == (bench.der("bob"),)


def test_pruning_takes_no_offence_at_a_file_that_is_gone(bench: Bench) -> None:
    """`ln -f` makes a link of a passing name, and renames it; a link to nothing cannot be looked at
    either."""
    bench.verify(0, "alice")
    (bench.state / "certificates" / "CuAbCdEf").symlink_to("nowhere")
    bench.kept.prune()
    assert bench.kept.chain(bench.env("alice")) == (bench.der("alice"),)
