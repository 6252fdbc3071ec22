"""Who somebody is, and whether he may come in, at the real gateway: findings 3 to 6 and 13.

Each attack is made with a plain certificate, the way charon alone judged it, and inside EAP-TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.common.vocabulary import VpnProtocol
from gateway.sstp.protocol.events import Connected
from lab.vpn_client import RefusedError
from tests.rigs import forged
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import KEYS, Forged, authority, sign
from tests.rigs.gateway_bench import ROOT, Bench, client, on_a_gateway
from tests.rigs.ike_attacker import Manner, by_eap_tls, plainly
from tests.rigs.sstp_bench import caller, off, outcome
from tests.rigs.sstp_caller import SstpCaller

WAYS: dict[str, Callable[[Forged], Manner]] = {"plain": plainly, "EAP-TLS": by_eap_tls}


def held_by(bench: Bench, name: str) -> Forged:
    return forged.from_credential(bench.credentials[name])


async def cannot_enter(dialling: Dialling, revoked: Forged) -> None:
    """Over IKEv2, in any way, beside the real client."""
    for manner in WAYS.values():
        attacker, came_to = await dialling.ike("pc2", manner(revoked))
        assert not came_to.established, came_to
        attacker.close()
    assert await dialling.bench.gateway.sessions() == []


# ---- what a parser cannot read


ILLEGIBLE: dict[str, Callable[[str, Forged], Forged]] = {
    "version 2": forged.of_version_2,
    "names that are not UTF-8": forged.not_in_utf8,
}
"""Issued by an authority of the stranger's own."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ILLEGIBLE)
def test_a_certificate_that_cannot_be_read_opens_the_gate_for_nobody(
    tmp_path: Path, what: str, way: str
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", revoked=("carol",)))
        dialling = Dialling(bench)
        mallory = ILLEGIBLE[what]("mallory", sign("Stranger", authority()))
        _, came_to = await dialling.ike("pc1", WAYS[way](mallory))
        assert not came_to.established
        await cannot_enter(dialling, held_by(bench, "carol"))
        for system in ("linux", "macos"):
            with pytest.raises(RefusedError):
                await bench.computer("pc3", "carol", system).dial("IkeV2")
        assert await bench.gateway.sessions() == []
        await bench.computer("pc3", "alice").dial("IkeV2")

    on_a_gateway(tmp_path, test, client("alice"), client("carol"))


# ---- who it is


def decoyed(shown: Forged, alice: Forged) -> dict[str, Manner]:
    """Ways to show one's own certificate and alice's."""
    return {
        "plain": plainly(shown, before=(alice.der,)),
        "EAP-TLS": by_eap_tls(shown.showing(*shown.others, alice.der), alice),
        "EAP-TLS, alice first": by_eap_tls(replace(alice, key=shown.key, others=(shown.der,))),
    }


DECOYS = ("plain", "EAP-TLS", "EAP-TLS, alice first")


@pytest.mark.parametrize("way", DECOYS)
def test_nobody_comes_in_as_somebody_else(tmp_path: Path, way: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        alice, mallory = held_by(bench, "alice"), held_by(bench, "mallory")
        await bench.computer("pc2", "alice").dial("IkeV2")
        attacker, came_to = await Dialling(bench).ike("pc1", decoyed(mallory, alice)[way])
        rows = await bench.gateway.sessions()
        who = sorted((row["vpnUserName"], row["thumbprint"]) for row in rows)
        own = [("mallory", mallory.thumbprint)] if came_to.established else []
        assert who == [("alice", alice.thumbprint), *own]
        await bench.gateway.put(bench.document("IkeV2", revoked=("mallory",)))
        assert not await asyncio.to_thread(attacker.alive)
        assert len(await bench.gateway.sessions()) == 1

    on_a_gateway(tmp_path, test, client("alice"), client("mallory"))


@pytest.mark.parametrize("way", ["plain", "EAP-TLS"])
def test_a_revoked_certificate_in_ber_stays_out(tmp_path: Path, way: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", revoked=("carol",)))
        alice, carol = held_by(bench, "alice"), forged.in_ber(held_by(bench, "carol"))
        await bench.computer("pc2", "alice").dial("IkeV2")
        _, came_to = await Dialling(bench).ike("pc1", decoyed(carol, alice)[way])
        assert not came_to.established
        assert len(await bench.gateway.sessions()) == 1

    on_a_gateway(tmp_path, test, client("alice"), client("carol"))


# ---- twins of a certificate


def _rsa_twins(root: Forged) -> tuple[Forged, Forged]:
    original = forged.with_an_even_signature("erin", root)
    return original, forged.unused_bits_twin(original)


def _ecdsa_twins(root: Forged) -> tuple[Forged, Forged]:
    original = sign("dave", by=root)
    return original, forged.ecdsa_twin(original)


TWINS: dict[str, tuple[str, Callable[[Forged], tuple[Forged, Forged]]]] = {
    "an unused bit": ("RSA-2048", _rsa_twins),
    "ECDSA's other signature": ("P-256", _ecdsa_twins),
}


@pytest.mark.parametrize("over", ["IkeV2", "SSTP", "OpenVPN"])
@pytest.mark.parametrize("what", TWINS)
def test_a_twin_evades_no_revocation(tmp_path: Path, what: str, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        kind, make = TWINS[what]
        root = sign("Twins", authority(), key=KEYS[kind]())
        original, twin = make(root)
        for name, one in (("twins", root), ("original", original), ("twin", twin)):
            bench.credentials[name] = one.credential(name)
        dialling = Dialling(bench)

        async def put(*revoked: str) -> None:
            await bench.gateway.put(bench.document(over, roots=("twins",), revoked=revoked))

        await put("original")
        assert await dialling.verdict(over, twin) in ("revoked", "untrusted")
        assert await dialling.verdict(over, original) == "revoked"
        if over == "IkeV2":  # the real client, and the way that is not offered any more
            with pytest.raises(RefusedError):
                await bench.computer("pc2", "twin").dial("IkeV2")
            assert not (await dialling.ike("pc1", plainly(twin)))[1].established
        for shown, revoked in ((twin, "original"), (original, "twin")):
            await put()
            inside = await dialling.dial(over, shown)
            if inside is None:  # what is never let in, and so never in a record as somebody's
                assert shown is twin
                break
            await put(revoked)
            assert await bench.gateway.sessions() == []
            assert not await inside.alive()
            await inside.leave()

    on_a_gateway(tmp_path, test)


# ---- others' names


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_of_the_same_name_and_number_locks_nobody_out(tmp_path: Path, way: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        serial = bench.credentials["alice"].certificate.serial_number
        fake = sign(ROOT.subject, authority())
        mallory = sign("alice", by=fake, serial=serial).showing(fake.der)
        dialling = Dialling(bench)
        assert not (await dialling.ike("pc1", WAYS[way](mallory)))[1].established
        for system in ("linux", "macos"):
            computer = bench.computer("pc2", "alice", system)
            await computer.dial("IkeV2")
            await computer.hang_up()

    on_a_gateway(tmp_path, test, client("alice"))


# ---- places


def test_one_certificate_does_not_take_every_place(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        calls: list[SstpCaller] = []
        while len(calls) < 128:
            calls += await asyncio.gather(*(caller(bench, "mallory") for _ in range(8)))
            if not all([isinstance(await off(call.dial), Connected) for call in calls[-8:]]):
                break
        assert isinstance(await outcome(bench, "alice", "pc2"), Connected)

    on_a_gateway(tmp_path, test, client("alice"), client("mallory"))
