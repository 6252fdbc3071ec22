"""`p2slab bench soak`: attacks for minutes beside twenty honest clients of all three protocols.

Two gateways, as SSTP and OpenVPN exclude each other on one. 8 IKEv2 and 4 SSTP clients of the
first, 8 OpenVPN clients of the second ping five times a second, and another dials anew over each.
Beside them strangers show certificates that cost or that cannot be read, revoked people show twins
of theirs, 1,000 connections of each port 443 are half open, IKE_SA_INITs come by the hundred a
second, and OpenVPN gets garbage. Prints the verdict as JSON; exit code 1 if a ping was lost, an
honest one was kept out, or somebody came in who should not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from gateway.common.vocabulary import VpnProtocol
from tests.bench import processes
from tests.bench.sstp_soak import keep
from tests.rigs import forged
from tests.rigs.crowd import IkeCrowd, OpenVpnCrowd, Pings, people, profile_of
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import KEYS, Forged, authority, sign
from tests.rigs.gateway_bench import PUBLIC, ROOT, Bench, client
from tests.rigs.ike_attacker import MARKER, Initiator, plainly
from tests.rigs.sstp_programs import People
from tests.rigs.two_gateways import FQDN_2, PRIVATE_2, PUBLIC_2, on_two_gateways

IKE, SSTP, OPENVPN = 8, 4, 8
"""Honest clients."""
HALF_OPEN = 1000
HELD = 20.0
"""Seconds for which they are held before others take their place."""
INITS, PAUSE = 25, 0.1
"""IKE_SA_INITs at a time, and seconds between: 250 a second, as in the audit."""
COMER = "carol"
"""Who dials anew."""
GRACE = 60.0
"""Seconds that the honest clients of SSTP go on at most after the others."""
MEGABYTE = 1_000_000


REVOKED = ("dave", "erin")
ROOTS = ("root", "ec")
RAW = "not in UTF-8"
"""OpenSSL does not read it, so that the clients of SSTP and OpenVPN cannot show it."""


def shapes(first: Bench) -> dict[str, Forged]:
    """What strangers and the revoked show; roots and the revoked become credentials."""
    rsa = forged.from_credential(first.credentials["root"])
    ec, own = sign("EC Root", authority()), sign("Stranger", authority())
    dave, erin = sign("dave", by=ec), forged.with_an_even_signature("erin", rsa)
    for name, one in (("ec", ec), ("dave", dave), ("erin", erin)):
        first.credentials[name] = one.credential(name)
    return {
        "namesakes": forged.namesakes(24, KEYS["RSA-2048"]()),
        "giants": forged.giants(24),
        "8 of RSA 4096": forged.ladder(8),
        "version 2": forged.of_version_2("mallory", own),
        RAW: forged.not_in_utf8("mallory", own),
        "the root's namesake": sign("alice", by=sign(ROOT.subject, authority())),
        "revoked": dave,
        "a twin by ECDSA": forged.ecdsa_twin(dave),
        "a twin by an unused bit": forged.unused_bits_twin(erin),
    }


class Attacks:
    """Attacks that go on until the honest have enough; how often each was made, and who got in."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, attack: Callable[[], Awaitable[object]]) -> None:
        """Again and again; what it returns that is true, somebody got in by."""

        async def again() -> None:
            while True:
                try:
                    if await attack():
                        self.inside[name] += 1
                    self.made[name] += 1
                except (OSError, SSL.Error):  # TimeoutError too: nobody answers, or hangs up
                    self.made[f"{name}, without an answer"] += 1
                    await asyncio.sleep(PAUSE)

        self._tasks.append(asyncio.create_task(again()))

    async def end(self) -> None:
        """None is made any more; an attack that broke is our fault and raised."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError) and isinstance(error, BaseException):
                raise error


async def soak(first: Bench, second: Bench, seconds: float) -> dict[str, Any]:
    """Play; what came of it."""
    shown = shapes(first)
    for bench, protocols in ((first, ("IkeV2", "SSTP")), (second, ("OpenVPN",))):
        await bench.gateway.put(bench.document(*protocols, roots=ROOTS, revoked=REVOKED))
    root = forged.from_credential(first.credentials["root"])
    honest = await Honest.arrive(first, second, root)
    before = await memories(first, second)
    await honest.ping(seconds)
    began = time.monotonic()
    attacks = Attacks()
    await begin(attacks, Dialling(first), Dialling(second, PUBLIC_2, FQDN_2), shown)
    comers = Comers(Dialling(first), Dialling(second, PUBLIC_2, FQDN_2), sign(COMER, by=root))
    coming = asyncio.create_task(comers.come_and_go())
    fared = await honest.over()
    await comers.end(coming)
    await attacks.end()
    after = await memories(first, second)
    lost = {kind: sent - answered for kind, (sent, answered) in fared.items()}
    kept_out = comers.tried - comers.inside
    return {
        "held": not any(lost.values())
        and not kept_out
        and not attacks.inside
        and await honest.all_in(),
        "seconds": round(time.monotonic() - began, 1),
        "pings sent and answered": fared,
        "lost": {name: [len(gone), gone[0], gone[-1]] for name, gone in honest.missing().items()},
        "dialled anew": dict(comers.tried),
        "kept out": dict(kept_out),
        "attacks": dict(sorted(attacks.made.items())),
        "came in": dict(attacks.inside),
        "engines": [
            record["time"][11:19] + " " + record["message"][:300]
            for bench in (first, second)
            for record in await bench.records("engine")
        ],
        "honest sessions ended": [
            f"{record['time'][11:19]} {record['user']}: {record['message'][:300]}"
            for bench in (first, second)
            for record in await bench.records("disconnected")
            if record["user"] != COMER
        ],
        "refusals": [await refusals(bench) for bench in (first, second)],
        "megabytes before and after": {
            name: [before.get(name, 0), size] for name, size in after.items()
        },
    }


class Honest:
    """The twenty."""

    def __init__(
        self,
        first: Bench,
        second: Bench,
        ike: IkeCrowd,
        inside: Sequence[str],
        devices: Sequence[str],
    ) -> None:
        self._first = first
        self._second = second
        self._ike = ike
        self._inside = inside
        self._devices = devices
        self._pings: dict[str, Pings] = {}
        self._fared: dict[str, Any] = {}

    @classmethod
    async def arrive(cls, first: Bench, second: Bench, root: Forged) -> Honest:
        """Those of IKEv2 and OpenVPN are in."""
        ike = IkeCrowd(first.nodes["pc1"], people(IKE, root))
        await ike.start(await profile_of(first))
        assert await ike.dial(range(IKE), IKE) == {}
        inside = await ike.inside()
        assert len(inside) == IKE, inside
        vpn = OpenVpnCrowd(second.nodes["pc3"], people(OPENVPN, root))
        devices = await vpn.dial(await profile_of(second))
        return cls(first, second, ike, [address for address, _ in inside.values()], devices)

    async def ping(self, seconds: float) -> None:
        """Those of SSTP are in, too, and all ping."""
        self._sstp = await People.start(
            self._first, "pc2", f"--count={SSTP}", f"--seconds={seconds + GRACE}", "--interval=0.2"
        )
        assert (await self._sstp.line(0))["up"] == SSTP
        self._pings = {
            "IkeV2": await Pings.start(self._first.nodes["pc1"], self._inside, seconds),
            "OpenVPN": await Pings.start(
                self._second.nodes["pc3"], self._devices, seconds, PRIVATE_2
            ),
        }

    async def over(self) -> dict[str, tuple[int, int]]:
        """How many pings were sent and answered, by protocol."""
        fared = {}
        for kind, pings in self._pings.items():
            counts = (await pings.ended()).values()
            fared[kind] = sum(sent for sent, _ in counts), sum(heard for _, heard in counts)
        self._fared = await self._sstp.stop()
        return fared | {"SSTP": (self._fared["sent"], self._fared["answered"])}

    def missing(self) -> dict[str, list[int]]:
        """Pings without an answer, by address or device."""
        return {name: gone for one in self._pings.values() for name, gone in one.missing().items()}

    async def all_in(self) -> bool:
        """Whether no client was disconnected."""
        return self._fared["up"] == SSTP and len(await self._ike.inside()) == IKE


class Comers:
    """An honest user who dials repeatedly, and hangs up when connected."""

    def __init__(self, first: Dialling, second: Dialling, user: Forged) -> None:
        self._ways: tuple[tuple[Dialling, VpnProtocol, str], ...] = (
            (first, "IkeV2", "pc3"),
            (first, "SSTP", "pc1"),
            (second, "OpenVPN", "pc2"),
        )
        self._user = user
        self._over = False
        self.tried: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()

    async def come_and_go(self) -> None:
        """Over each protocol in turn, until it is over."""
        while not self._over:
            for dialling, protocol, node in self._ways:
                self.tried[protocol] += 1
                inside = await dialling.dial(protocol, self._user, node)
                if inside:
                    self.inside[protocol] += 1
                    await inside.leave()
            await asyncio.sleep(1.0)

    async def end(self, coming: asyncio.Task[None]) -> None:
        """After the last round."""
        self._over = True
        await coming


async def begin(
    attacks: Attacks, first: Dialling, second: Dialling, shown: dict[str, Forged]
) -> None:
    """All of them, at once."""
    protocols: tuple[tuple[Dialling, VpnProtocol, str], ...] = (
        (first, "IkeV2", "bad1"),
        (first, "SSTP", "bad2"),
        (second, "OpenVPN", "bad3"),
    )
    for dialling, protocol, node in protocols:
        fit = [one for name, one in shown.items() if protocol == "IkeV2" or name != RAW]
        turns = Turns(dialling, protocol, node, fit)
        attacks.begin(f"certificates over {protocol}", turns.next)
    attacks.begin("plain certificates over IkeV2", Plainly(first, shown).next)
    attacks.begin("IKE_SA_INITs", await _inits(first.bench, PUBLIC))
    attacks.begin("garbage for OpenVPN", await _garbage(second.bench, PUBLIC_2))
    for dialling, _, node in protocols[1:]:
        attacks.begin(f"half-open connections of {node}", partial(_half_open, dialling, node))


class Turns:
    """One certificate after the other over one protocol."""

    def __init__(
        self, dialling: Dialling, protocol: VpnProtocol, node: str, shown: Sequence[Forged]
    ) -> None:
        self._doors = dialling
        self._protocol = protocol
        self._node = node
        self._shown = shown
        self._turn = 0

    async def next(self) -> object:
        """Dial; who got in."""
        self._turn += 1
        one = self._shown[self._turn % len(self._shown)]
        return await self._doors.dial(self._protocol, one, self._node)


class Plainly:
    """CERT payloads in place of EAP, those that fit into a datagram."""

    def __init__(self, dialling: Dialling, shown: dict[str, Forged]) -> None:
        self._doors = dialling
        self._shown = [one for one in shown.values() if len(b"".join(one.others)) < 4000]
        self._turn = 0

    async def next(self) -> object:
        """Dial; whether anybody got in."""
        self._turn += 1
        manner = plainly(self._shown[self._turn % len(self._shown)])
        attacker, came_to = await self._doors.ike("bad1", manner)
        attacker.close()
        return came_to.established


async def _inits(bench: Bench, to: str) -> Callable[[], Awaitable[None]]:
    """IKE_SA_INITs of ever another initiator, who never goes on."""
    line = await bench.nodes["bad1"].call(lambda: socket.socket(type=socket.SOCK_DGRAM))
    line.setblocking(False)
    request = Initiator(plainly(sign("nobody"))).outgoing

    async def some() -> None:
        for _ in range(INITS):
            line.sendto(MARKER + os.urandom(8) + request[8:], (to, 4500))
        await asyncio.sleep(PAUSE)

    return some


async def _garbage(bench: Bench, to: str) -> Callable[[], Awaitable[None]]:
    """Packets of OpenVPN's framing with anything inside (its length, an opcode, noise)."""

    async def one() -> None:
        line = await bench.nodes["bad3"].call(lambda: socket.create_connection((to, 443), 5))
        noise = os.urandom(int.from_bytes(os.urandom(1), "big") + 1)
        opcode = bytes((7 << 3,))
        with line:
            line.sendall((1 + len(noise)).to_bytes(2, "big") + opcode + noise + os.urandom(2000))
        await asyncio.sleep(PAUSE)

    return one


async def _half_open(dialling: Dialling, node: str) -> None:
    """Opened, and left so for a while."""
    argv = [sys.executable, "-m", "tests.rigs.sstp_hostile", dialling.public, dialling.name]
    more = ["--half-open", str(HALF_OPEN)]
    process = await dialling.bench.nodes[node].spawn([*argv, *more], log="half-open")
    try:
        await asyncio.sleep(HELD)
    finally:
        await process.stop()


async def memories(*benches: Bench) -> dict[str, float]:
    """Megabytes by gateway and process."""
    found: Counter[str] = Counter()
    for bench, node in zip(benches, ("gw", "gw2"), strict=True):
        family = processes.family(await processes.gateway(bench.nodes[node]))
        for pid, name in family.items():
            found[f"{node} {name}"] += processes.memory(pid)
    return {name: round(size / MEGABYTE, 1) for name, size in found.items()}


async def refusals(bench: Bench) -> dict[str, int]:
    """Of the newest records, by protocol and reason."""
    records = await bench.records("refused")
    return dict(Counter(f"{record['protocol']} {record['reason']}" for record in records))


def main(arguments: Sequence[str]) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="p2slab bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "verdict.json")

        async def run(first: Bench, second: Bench) -> None:
            verdict = await soak(first, second, 60 * options.minutes)
            await asyncio.to_thread(keep, file, verdict)

        on_two_gateways(Path(directory), run, client("alice"))
        print(file.read_text())
        return 0 if json.loads(file.read_text())["held"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
