"""The gate for IKEv2: charon's questions answered, verdicts kept for the events that follow."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.admission import Admission, Policy
from gateway.engines.ikev2_attempts import Attempts
from gateway.engines.ikev2_gate import Gate
from gateway.engines.vici_messages import LogLine
from gateway.ocsp import Question
from gateway.sessions import Sessions
from gateway.trust import thumbprint
from tests.labs.fences import RecordingFence


class Bench:
    """A gate whose charon holds the certificates in `held`."""

    def __init__(self, pki: Any) -> None:
        self.pki = pki
        self.held: list[x509.Certificate] = []
        self.learned: list[x509.Certificate] = []
        self.sessions = Sessions(RecordingFence())
        self.admission = Admission(self.sessions)
        self.attempts = Attempts(lambda: datetime.now(UTC))
        self.gate = Gate(self.admission, self._known, self.attempts, self.learned.append)
        self.gate.roots = (pki["root"],)
        self.policy()

    async def _known(self) -> list[x509.Certificate]:
        return self.held

    def policy(self, *revoked: str, limit: int = 250) -> None:
        self.admission.policy = Policy(
            roots=frozenset((thumbprint(self.pki["root"]),)),
            revoked=frozenset(thumbprint(self.pki[name]) for name in revoked),
            ikev2_openvpn_limit=limit,
            parts={"IkeV2": (IPv4Network("172.16.201.0/24"),)},
        )

    def comes(self, uniqueid: str, name: str, *chain: str) -> None:
        """A client's certificates reach charon."""
        self.held += [self.pki[part] for part in (name, *chain)]
        self.attempts.feed(LogLine("IKE", uniqueid, f'received end entity cert "CN={name}"'))

    async def asks(self, name: str, uniqueid: str = "1") -> str:
        """charon asks about a certificate for the sake of an IKE_SA, and says so in its log; told
        `later`, it asks again at the second address."""
        self._says(uniqueid, f'checking certificate status of "CN={name}"')
        status = "later"
        for address in ("/", "/again"):
            if status == "later":
                line = f"  requesting ocsp status from 'http://127.0.0.1:1{address}' ..."
                self._says(uniqueid, line)
                status = await self.gate.decide(self._question(name, again=address == "/again"))
        self._says(uniqueid, "  ocsp response is valid: until tomorrow")
        return status

    def _says(self, uniqueid: str, text: str) -> None:
        self.attempts.feed(LogLine("CFG", uniqueid, text))

    def _question(self, name: str, *, again: bool) -> Question:
        certificate = self.pki[name]
        digest = hashes.Hash(hashes.SHA1())
        digest.update(certificate.issuer.public_bytes())
        return Question(certificate.serial_number, digest.finalize(), b"", hashes.SHA1(), again)


@pytest.fixture
def bench(pki_today: Any) -> Bench:
    return Bench(pki_today)


async def test_a_good_certificate_is_good_and_keeps_a_place(bench: Bench) -> None:
    bench.comes("1", "alice")
    assert await bench.asks("alice") == "good"
    assert bench.sessions.count(("IkeV2",)) == 1
    (verdict,) = bench.gate.take("CN=alice", admitted=True)
    assert verdict.reservation
    assert verdict.reservation.peer.user == "alice"
    assert bench.gate.take("CN=alice", admitted=True) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("server-only", "no-client-auth"), ("expired", "expired")]
)
async def test_an_unfit_certificate_is_revoked_to_charon(
    bench: Bench, name: str, reason: str
) -> None:
    bench.comes("1", name)
    assert await bench.asks(name) == "revoked"
    assert [v.reason for v in bench.gate.take(f"CN={name}", admitted=False)] == [reason]
    assert bench.sessions.count(("IkeV2",)) == 0


async def test_a_full_gateway_is_revoked_to_charon(bench: Bench) -> None:
    bench.policy(limit=0)
    bench.comes("1", "alice")
    assert await bench.asks("alice") == "revoked"
    assert bench.gate.take("CN=alice", admitted=False)[0].reason == "limit"


async def test_a_certificate_that_charon_does_not_hold_is_unknown(bench: Bench) -> None:
    assert await bench.asks("alice") == "unknown"


async def test_a_clients_certificate_is_judged_when_only_its_intermediate_is_asked_about(
    bench: Bench,
) -> None:
    bench.policy("bob")
    bench.comes("1", "bob", "intermediate")
    assert await bench.asks("intermediate") == "revoked"
    assert bench.gate.take("CN=bob", admitted=False)[0].reason == "revoked"
    assert bench.learned == [bench.pki["intermediate"]]


async def test_every_intermediate_of_a_long_chain_is_learned(bench: Bench) -> None:
    bench.comes("1", "carol", "second-intermediate", "intermediate")
    assert await bench.asks("intermediate") == "good"
    assert set(bench.learned) == {bench.pki["second-intermediate"], bench.pki["intermediate"]}
    assert len(bench.gate.take("CN=carol", admitted=True)) == 1


async def test_a_renewed_certificate_is_not_taken_for_the_old_one_below_an_intermediate(
    bench: Bench,
) -> None:
    bench.pki.issue("renewed", "intermediate", common_name="bob")
    bench.policy("bob")
    bench.comes("1", "bob", "intermediate")
    assert await bench.asks("intermediate", "1") == "revoked"
    bench.gate.take("CN=bob", admitted=False)
    bench.held.append(bench.pki["renewed"])
    bench.attempts.feed(LogLine("IKE", "2", 'received end entity cert "CN=bob"'))
    assert await bench.asks("renewed", "2") == "good"
    assert await bench.asks("intermediate", "2") == "good"


async def test_of_two_of_one_subject_that_were_not_judged_the_revoked_one_counts(
    bench: Bench,
) -> None:
    bench.pki.issue("second-bob", "intermediate", common_name="bob")
    bench.policy("bob")
    bench.held.append(bench.pki["second-bob"])
    bench.comes("1", "bob", "intermediate")
    assert await bench.asks("intermediate") == "revoked"


async def test_a_client_judged_already_takes_one_place(bench: Bench) -> None:
    bench.comes("1", "bob", "intermediate")
    assert await bench.asks("bob") == "good"
    assert await bench.asks("intermediate") == "good"
    assert bench.sessions.count(("IkeV2",)) == 1


async def test_of_two_that_ask_at_once_each_has_its_own_verdict(bench: Bench) -> None:
    bench.policy("carol")
    bench.comes("1", "bob", "intermediate")
    bench.comes("2", "carol", "second-intermediate")
    answers = asyncio.gather(bench.asks("intermediate", "2"), bench.asks("intermediate", "1"))
    assert await answers == ["revoked", "good"]


async def test_who_does_not_ask_again_holds_up_the_others_for_a_moment_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.engines.ikev2_gate.LOG_LIMIT", 0.01)
    bench.comes("1", "bob", "intermediate")
    first = bench._question("intermediate", again=False)
    assert await bench.gate.decide(first) == "later"
    assert await bench.asks("intermediate") == "good"


async def test_an_intermediate_that_nobody_asks_about_is_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.engines.ikev2_gate.LOG_LIMIT", 0.01)
    bench.held += [bench.pki["intermediate"]]
    assert await bench.asks("intermediate", "") == "good"


async def test_a_client_that_got_in_unasked_is_judged_then(bench: Bench) -> None:
    bench.policy("alice")
    bench.held += [bench.pki["alice"], bench.pki["bob"]]
    verdict = await bench.gate.judge_late("CN=alice")
    assert verdict
    assert verdict.reason == "revoked"
    assert bench.gate.take("CN=alice", admitted=False) == []


async def test_two_certificates_of_one_name_cannot_be_told_apart_afterwards(
    bench: Bench, pki_today: Any
) -> None:
    twin = pki_today.issue("twin", "root", common_name="alice")
    bench.held += [pki_today["alice"], twin]
    assert await bench.gate.judge_late("CN=alice") is None
    assert await bench.gate.explain("CN=alice") is None


async def test_a_refusal_before_the_question_is_explained(bench: Bench) -> None:
    bench.held.append(bench.pki["expired"])
    verdict = await bench.gate.explain("CN=expired")
    assert verdict
    assert verdict.reason == "expired"
    assert bench.sessions.count(("IkeV2",)) == 0
