"""The driver of the lab's own SSTP client: how it handles the program's events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.clients.profile import Profile
from lab.clients.sstp_python_driver import PythonSstp
from lab.clients.user import UserPassword
from lab.errors import LabError
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import RefusedError

PROFILE = Profile(("SSTP",), "gw.test", ("10.1.0.0/16",), b"ROOT", "")
BOB = UserPassword("bob", "s3cret")
UP = {"event": "up", "address": "172.16.201.2", "interface": "sstp0", "dns": ["10.1.1.53"],
      "tls": "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384", "binding": "SHA256, specification"}  # fmt: skip


class FakeProgram:
    """What it printed, and whether it still runs."""

    def __init__(self, log: Path, code: int | None) -> None:
        self.log = log
        self.code = code

    async def stop(self, limit: float = 5.0) -> int:
        self.code = self.code or 0
        return self.code


class FakeNode:
    """A computer whose program prints given output."""

    name = "pc"

    def __init__(self, directory: Path, *said: dict[str, Any] | str, code: int | None) -> None:
        self.files: dict[str, bytes] = {"/etc/resolv.conf": b"nameserver 8.8.8.8\n"}
        self.argv: list[str] = []
        lines = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in said]
        self._log = directory / "sstp.log"
        self._said, self._code = "".join(lines), code

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> FakeProgram:
        self.argv = list(argv)
        mark = argv[2].split('"')[1]
        old = json.dumps({**UP, "address": "an earlier dial's"})
        self._log.write_text(f"{old}\n{mark}\n{self._said}")
        return FakeProgram(self._log, self._code)

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        self.files[path] = data.encode() if isinstance(data, str) else data

    async def read(self, path: str) -> bytes:
        return self.files[path]


async def test_a_call_that_comes_up_is_reported_with_its_binding_and_dns(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, UP, '{"event": "ended", "wh', code=None)
    driver = PythonSstp(node, PROFILE, BOB)  # type: ignore[arg-type]
    connection = await driver.connect()
    assert connection.address == "172.16.201.2"
    assert "SHA256, specification" in connection.said[0]
    assert node.files["/etc/resolv.conf"].startswith(b"nameserver 10.1.1.53\n")
    assert "s3cret" not in " ".join(node.argv)
    assert b"s3cret" in node.files.values()
    await driver.disconnect()
    assert node.files["/etc/resolv.conf"] == b"nameserver 8.8.8.8\n"


async def test_a_refusal_has_the_programs_reason_and_message(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, {"event": "refused", "reason": "tls", "message": "alert"}, code=1)
    with pytest.raises(RefusedError) as refused:
        await PythonSstp(node, PROFILE, BOB).connect()  # type: ignore[arg-type]
    assert (refused.value.reason, refused.value.message) == ("tls", "alert")


async def test_a_gateway_that_takes_an_old_cipher_suite_is_no_refusal(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, {"event": "agreed", "suite": 10}, code=0)
    limits = TlsLimits(ciphers=("TLS_RSA_WITH_3DES_EDE_CBC_SHA",))
    driver = PythonSstp(node, PROFILE, BOB, tls=limits)  # type: ignore[arg-type]
    with pytest.raises(LabError, match="accepted cipher suite 0x000a"):
        await driver.connect()
    assert node.argv[-2:] == ["--cipher", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"]


async def test_a_program_that_ends_without_a_word_is_our_fault(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, "Traceback (most recent call last):\n", code=1)
    with pytest.raises(LabError, match="Traceback"):
        await PythonSstp(node, PROFILE, BOB).connect()  # type: ignore[arg-type]


async def test_the_end_is_reported_with_the_programs_message(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, UP, {"event": "ended", "why": "revoked"}, code=None)
    driver = PythonSstp(node, PROFILE, BOB)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="revoked"):  # up for a moment
        await driver.connect()
    assert await driver.ended(1.0) == "revoked"
