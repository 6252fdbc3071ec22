"""A library that does not take the user's certificate refuses; any other error stays a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from OpenSSL import SSL
from vici.exception import CommandException

from gateway.ppp.tls_contexts import client_context
from lab.clients import sstp_python
from lab.clients.computer import Computer
from lab.clients.library_errors import refusal
from lab.clients.user import outdated
from lab.pki.authority import Credential, sign
from lab.topology.model.persona import client_system
from lab.topology.planning.plan import CertificatePlan, ClientPlan
from lab.vpn_client import RefusedError
from tests.unit.lab.clients.test_computer import PROFILE, Gateway, Machine

SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def short() -> Credential:
    return sign(CertificatePlan("c", "c", None, "client"), SHORT, None)


def test_the_reason_of_openssl_is_the_sentence() -> None:
    own = short().certificate
    with pytest.raises(SSL.Error) as caught:
        client_context(own, SHORT, (), (own,))
    words = "the client's OpenSSL refuses its own certificate: ee key too small"
    assert refusal(caught.value) == words
    assert client_context(own, SHORT, (), (own,), security_level=0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SSL.Error(), "no reason given"),
        (UnsupportedAlgorithm("brainpool"), "does not know its own certificate: brainpool"),
        (CommandException("parsing ANY private key failed"), "charon refuses its own"),
    ],
)
def test_each_library_refuses_in_a_sentence(error: Exception, words: str) -> None:
    assert words in str(refusal(error))


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x"), OSError("x")])
def test_other_errors_are_faults(error: Exception) -> None:
    assert refusal(error) is None


def test_outdated_is_what_security_level_2_forbids() -> None:
    long = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good: list[Any] = [long, ec.generate_private_key(ec.SECP256R1())]
    certificates = [sign(CertificatePlan("c", "c", None, "client"), key, None) for key in good]
    certificates.append(
        sign(CertificatePlan("c", "c", None, "root"), ed25519.Ed25519PrivateKey.generate(), None)
    )
    assert not outdated(one.certificate for one in certificates)
    assert outdated([certificates[0].certificate, short().certificate])


class Unwilling:
    """A driver whose library raises."""

    protocol = "OpenVPN"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.left = False

    async def connect(self) -> None:
        raise self.error

    async def disconnect(self) -> None:
        self.left = True


async def dialled(driver: Unwilling, monkeypatch: pytest.MonkeyPatch) -> None:
    async def set_up(*_: object) -> Unwilling:
        return driver

    monkeypatch.setattr("lab.clients.computer.read_profile", lambda _: PROFILE)
    monkeypatch.setattr(Computer, "_set_up", set_up)
    plan = ClientPlan("pc", "pc", client_system("windows10"), "gw", "home", ("OpenVPN",))
    machine: Any = Machine()
    gateway: Any = Gateway()
    await Computer(
        plan,
        node=machine,
        access=machine,
        address="192.168.77.10",
        gateway=gateway,
        credential=None,
    ).dial()


async def test_a_dial_ends_in_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Unwilling(SSL.Error([("SSL routines", "", "ca md too weak")]))
    with pytest.raises(RefusedError, match="ca md too weak") as caught:
        await dialled(driver, monkeypatch)
    assert caught.value.reason == "no-certificate"
    assert driver.left


async def test_a_fault_stays_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        await dialled(Unwilling(KeyError("ours")), monkeypatch)


def test_the_labs_own_client_tells_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = short()
    (tmp_path / "c.pem").write_bytes(own.certificate_pem)
    (tmp_path / "c.key").write_bytes(own.key_pem)
    monkeypatch.setattr(sstp_python, "outdated", lambda _: False)
    files = [f"--{what}={tmp_path}/c.{end}" for what, end in
             (("root", "pem"), ("certificate", "pem"), ("key", "key"))]  # fmt: skip
    assert sstp_python.main(["gw.test", "--user=c", *files]) == 1
    assert '"reason": "no-certificate"' in capsys.readouterr().out
