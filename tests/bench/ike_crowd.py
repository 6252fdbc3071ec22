"""`p2slab bench ike-crowd`: many IKEv2 clients, each with a certificate of its own.

All come in and stay in; with `--clients 1000`, which is VpnGw3's limit, one more is refused. Half
of them are revoked at once, and just those are out. Prints the verdict as JSON; exit code 1 if it
does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.arm.sku import SKUS
from lab.errors import LabError
from lab.waiting import wait_until
from tests.bench.sstp_soak import keep
from tests.rigs.crowd import IkeCrowd, Pings, people, profile_of
from tests.rigs.forged import from_credential
from tests.rigs.gateway_bench import Bench, on_a_gateway

POOL, SKU = "172.16.0.0/22", "VpnGw3"
STAYS = 3.0
"""Seconds for which everybody is to have stayed."""
OUT_LIMIT = 20.0
FEW = 10
"""Who ping."""


async def crowd(bench: Bench, clients: int, at_once: int) -> dict[str, Any]:
    """Dial, stay, revoke; what came of it."""
    users = people(clients + 1, from_credential(bench.credentials["root"]))
    names = [f"u{number}" for number in range(clients)]
    for name, user in zip(names, users, strict=False):
        bench.credentials[name] = user.credential(name)

    async def put(*revoked: str) -> None:
        document = bench.document("IkeV2", pool=POOL, revoked=revoked)
        document["properties"]["sku"]["name"] = SKU
        await bench.gateway.put(document)

    await put()
    ike = IkeCrowd(bench.nodes["pc1"], users)
    await ike.start(await profile_of(bench))
    began = time.monotonic()
    failures = await ike.dial(range(clients), at_once)
    dialled = time.monotonic() - began
    first = await ike.inside()
    pings = await Pings.start(
        bench.nodes["pc1"], [address for address, _ in first.values()][:FEW], STAYS
    )
    answered = await pings.ended()
    full = clients == SKUS[SKU].ikev2_openvpn_connections
    one_more = await ike.dial([clients], 1) if full else {}
    reasons = [record["reason"] for record in await bench.records("refused")]
    stayed, rows = await ike.inside(), await bench.gateway.sessions()
    began = time.monotonic()
    said = ""
    try:
        await put(*names[::2])
    except LabError as error:
        said = str(error)
    kept = {number: seen for number, seen in stayed.items() if number % 2}

    async def out() -> bool:
        return (await ike.inside()).keys() <= kept.keys()

    with suppress(TimeoutError):
        await wait_until("who is revoked is out", OUT_LIMIT, out)
    revoked = time.monotonic() - began
    left = await bench.gateway.sessions()
    verdict = {
        "clients": clients,
        "failures": failures,
        "seconds for all": round(dialled, 2),
        "in": len(first),
        "stayed": len(stayed) if stayed == first else "not the same",
        "sessions": _sessions(rows, stayed),
        "one more": one_more or "not tried",
        "refusals": reasons,
        "addresses": len({address for address, _ in stayed.values()}),
        "pings": [sum(counts) for counts in zip(*answered.values(), strict=True)],
        "revoked": len(names[::2]),
        "said": said,
        "seconds for those": round(revoked, 2),
        "kept": len(kept) if await ike.inside() == kept else "not the same",
        "sessions kept": _sessions(left, kept),
    }
    await ike.stop()
    held = (
        verdict["in"] == verdict["stayed"] == verdict["sessions"] == clients
        and verdict["addresses"] == clients
        and reasons == ["limit"] * full
        and verdict["kept"] == verdict["sessions kept"] == clients // 2
        and all(sent == heard for sent, heard in answered.values())
    )
    return {"held": held, **verdict}


def _sessions(rows: Sequence[dict[str, Any]], inside: dict[int, tuple[str, bytes]]) -> int | str:
    """How many there are, if they are those of these clients."""
    shown = {(row["vpnUserName"], row["privateIpAddress"]) for row in rows}
    expected = {(f"u{number}", address) for number, (address, _) in inside.items()}
    if shown == expected and len(rows) == len(expected):
        return len(rows)
    return f"{len(rows)}, of which {len(expected & shown)} of {len(expected)}"


def main(arguments: Sequence[str]) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="p2slab bench ike-crowd", description=__doc__)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=25)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "verdict.json")

        async def run(bench: Bench) -> None:
            verdict = await crowd(bench, options.clients, options.at_once)
            await asyncio.to_thread(keep, file, verdict)

        on_a_gateway(Path(directory), run)
        print(file.read_text())
        return 0 if json.loads(file.read_text())["held"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
