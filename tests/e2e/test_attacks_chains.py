"""Chains that cost, chains that are out of order, and keys of every kind, at the real gateway.

Findings 1, 2, 8 and 9 of the audit: nobody else notices what a stranger shows, and what one
protocol refuses, the others refuse for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from gateway.common.vocabulary import VpnProtocol
from lab.waiting import wait_until
from tests.rigs import forged
from tests.rigs.dialling_all import Dialling, Inside
from tests.rigs.forged import KEYS, Forged, authority, sign
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.ike_attacker import Manner, by_eap_tls, plainly
from tests.rigs.patience import PATIENCE

OVER: tuple[tuple[VpnProtocol, ...], ...] = (("OpenVPN",), ("IkeV2", "SSTP"))
"""SSTP and OpenVPN exclude each other."""

COSTLY: dict[str, Callable[[], Forged]] = {
    "24 namesakes": lambda: forged.namesakes(24, KEYS["RSA-2048"]()),
    "24 giants": lambda: forged.giants(24),
}


@pytest.mark.parametrize("over", OVER[1])
@pytest.mark.parametrize("what", COSTLY)
def test_a_chain_that_costs_stops_nobody(tmp_path: Path, what: str, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", "SSTP"))
        dialling, alice = Dialling(bench), forged.from_credential(bench.credentials["alice"])
        honest = await let_in(dialling, "SSTP", alice, "pc2")
        attack = asyncio.create_task(dialling.dial(over, COSTLY[what](), "pc1"))
        pings = [await honest.alive()]
        while not attack.done():
            pings.append(await honest.alive())
        assert all(pings), pings
        assert await attack is None
        await wait_until("its record", PATIENCE, lambda: bench.records("refused"))
        for protocol in OVER[1]:
            await let_in(dialling, protocol, alice, "pc3")
        assert await honest.alive()

    on_a_gateway(tmp_path, test, client("alice"))


async def let_in(dialling: Dialling, protocol: VpnProtocol, shown: Forged, node: str) -> Inside:
    inside = await dialling.dial(protocol, shown, node)
    assert inside, await dialling.bench.gateway.log()
    return inside


def test_plain_certificates_that_cost_hang_nothing_and_let_nobody_in(tmp_path: Path) -> None:
    """Seven authorities per message, three messages, and a leaf that the last one issued."""

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", revoked=("carol",)))
        dialling, key = Dialling(bench), KEYS["RSA-2048"]()
        star = forged.namesakes(21, key)
        name = star.certificate.issuer.public_bytes()
        for at in (0, 7, 14):
            shown = star.others[at : at + 7]
            assert not (await dialling.ike("pc1", Manner(name, shown, key)))[1].established
        leaf = star.showing(*star.others[:6])
        assert not (await dialling.ike("pc1", plainly(leaf)))[1].established
        async with asyncio.timeout(10):
            await bench.gateway.runtime()
        carol = forged.from_credential(bench.credentials["carol"])
        for manner in (plainly(carol), by_eap_tls(carol)):
            assert not (await dialling.ike("pc2", manner))[1].established
        assert await bench.gateway.sessions() == []
        alice = forged.from_credential(bench.credentials["alice"])
        await let_in(dialling, "IkeV2", alice, "pc3")

    on_a_gateway(tmp_path, test, client("alice"), client("carol"))


# ---- one judge


def under(*extensions: forged.Extension, by: Forged) -> Forged:
    """A client of an intermediate authority with these extensions."""
    return sign("client", by=sign("Intermediate", extensions, by=by, key=KEYS["RSA-2048"]()))


PATH_LENGTH_0 = authority(0)
CA = x509.BasicConstraints(True, None), True
ELSEWHERE = x509.NameConstraints([x509.DirectoryName(forged.name("elsewhere"))], None), True
HERE = x509.NameConstraints([x509.DirectoryName(forged.name("client"))], None), True
SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0")

CHAINS: dict[str, tuple[str, Callable[[Forged], Forged]]] = {
    "issued by the root": ("connected", lambda root: sign("client", by=root)),
    "an intermediate": ("connected", lambda root: under(*authority(0), by=root)),
    "two intermediates": (
        "connected",
        lambda root: under(
            *authority(0), by=sign("Policy", authority(1), by=root, key=KEYS["RSA-2048"]())
        ),
    ),
    "an intermediate for clients": (
        "connected",
        lambda root: under(*authority(0, CLIENTS), by=root),
    ),
    "inside the name constraints": ("connected", lambda root: under(*authority(), HERE, by=root)),
    "an unknown extension": (
        "connected",
        lambda root: sign("client", (*forged.CLIENT, (UNKNOWN, False)), by=root),
    ),
    "longer than the path length": (
        "untrusted",
        lambda root: under(
            *authority(), by=sign("Last", PATH_LENGTH_0, by=root, key=KEYS["RSA-2048"]())
        ),
    ),
    "outside the name constraints": (
        "untrusted",
        lambda root: under(*authority(), ELSEWHERE, by=root),
    ),
    "an intermediate without keyCertSign": (
        "untrusted",
        lambda root: under(CA, forged.usage(signs=False), by=root),
    ),
    "an intermediate for servers": (
        "untrusted",
        lambda root: under(*authority(), SERVERS, by=root),
    ),
    "an unknown critical extension": (
        "untrusted",
        lambda root: sign("client", (*forged.CLIENT, (UNKNOWN, True)), by=root),
    ),
}  # fmt: skip


def test_what_one_protocol_refuses_the_others_refuse_too(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        root = sign("Table Root", authority(), key=KEYS["RSA-2048"]())
        bench.credentials["table"] = root.credential("table")
        shown = {what: make(root) for what, (_, make) in CHAINS.items()}
        seen = await verdicts(bench, shown, roots=("table",))
        assert seen == {
            what: dict.fromkeys(("IkeV2", "SSTP", "OpenVPN"), expected)
            for what, (expected, _) in CHAINS.items()
        }

    on_a_gateway(tmp_path, test)


async def verdicts(
    bench: Bench, shown: dict[str, Forged], roots: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """What each protocol says to each of them."""
    found: dict[str, dict[str, str]] = {what: {} for what in shown}
    for protocols in OVER:
        await bench.gateway.put(bench.document(*protocols, roots=roots))
        dialling = Dialling(bench)
        for protocol in protocols:
            for what, certificate in shown.items():
                found[what][protocol] = await dialling.verdict(protocol, certificate)
    return found


DOCUMENTED = [kind for kind in KEYS if kind != "Ed25519"]
"""The others may be refused, if all three do."""


def test_every_kind_of_key_works_over_all_protocols_or_over_none(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        shown: dict[str, Forged] = {}
        for kind, make in KEYS.items():
            root = sign(f"{kind} Root", authority(), key=make())
            bench.credentials[kind] = root.credential(kind)
            shown[f"by {kind}"] = sign("client", by=root)
        rsa = forged.from_credential(bench.credentials["RSA-2048"])
        shown |= {f"of {kind}": sign("client", by=rsa, key=make()) for kind, make in KEYS.items()}
        shown["by RSA-PSS"] = sign("client", by=rsa, pss=True)
        seen = await verdicts(bench, shown, roots=tuple(KEYS))
        assert {what: row for what, row in seen.items() if len(set(row.values())) > 1} == {}
        good = [f"{way} {kind}" for way in ("by", "of") for kind in DOCUMENTED]
        assert {what: seen[what]["SSTP"] for what in good} == dict.fromkeys(good, "connected")

    on_a_gateway(tmp_path, test)
