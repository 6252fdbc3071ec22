"""`p2slab bench judge`: processor time that a stranger's chain costs the gateway.

Certificates are shown inside EAP-TLS over IKEv2 or SSTP, and what all processes of the gateway
spent on it is told by process (milliseconds an attempt, to the nanosecond by the kernel). A
handshake costs what it costs whoever makes it; what the chain costs is the difference to an honest
user's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.common.vocabulary import VpnProtocol
from tests.bench import processes
from tests.bench.sstp_soak import keep
from tests.rigs import forged
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import KEYS, Forged, authority, sign
from tests.rigs.gateway_bench import ROOT, Bench, client, on_a_gateway

AIM = 5.0
"""Milliseconds that a stranger's chain may cost."""
HONEST = "an honest user"

SHAPES: dict[str, Callable[[Forged, Forged], Forged]] = {
    HONEST: lambda rsa, _ec: sign("alice", by=rsa),
    "a stranger's certificate alone": lambda _rsa, _ec: sign("mallory"),
    "a stranger's key of RSA 4096": lambda _rsa, _ec: sign("mallory", key=KEYS["RSA-4096"]()),
    "8 authorities of RSA 4096": lambda _rsa, _ec: forged.ladder(8),
    "the same under a namesake of the root": lambda _rsa, _ec: forged.ladder(8, top=ROOT.subject),
    "8 real authorities of RSA 4096, another's leaf": lambda rsa, _ec: (
        forged.with_anothers_signature(forged.ladder(8, by=rsa))
    ),
    "8 real authorities of P-521, another's leaf": lambda _rsa, ec: forged.with_anothers_signature(
        forged.ladder(8, "P-521", by=ec)
    ),
    "9 authorities": lambda _rsa, _ec: forged.ladder(9),
    "24 namesakes": lambda _rsa, _ec: forged.namesakes(24, KEYS["RSA-2048"]()),
    "8 giants": lambda _rsa, _ec: forged.giants(8),
    "24 giants": lambda _rsa, _ec: forged.giants(24),
}


async def measure(bench: Bench, over: VpnProtocol, attempts: int) -> list[dict[str, Any]]:
    """A row a shape."""
    rsa = forged.from_credential(bench.credentials["root"])
    ec = sign("EC Root", authority(), key=KEYS["P-521"]())
    bench.credentials["ec"] = ec.credential("ec")
    await bench.gateway.put(bench.document(over, roots=("root", "ec")))
    dialling = Dialling(bench)
    program = await processes.gateway(bench.nodes["gw"])
    rows: list[dict[str, Any]] = []
    for what, make in SHAPES.items():
        shown = make(rsa, ec)
        await _attempt(dialling, over, shown, honest=what == HONEST)
        before = _spent(program)
        for _ in range(attempts):
            await _attempt(dialling, over, shown, honest=what == HONEST)
        after = _spent(program)
        each = {name: 1000 * (after[name] - before[name]) / attempts for name in after}
        rows.append({"shown": what, "ms": each, "all": sum(each.values())})
    usual = rows[0]
    judge = max((name for name in usual["ms"] if name in JUDGES), key=JUDGES.index)
    for row in rows:
        own, honest = row["ms"][judge], usual["ms"][judge]
        row |= {"judge": judge, "of the judge": own, "chain": own - honest, "ratio": own / honest}
    return rows


JUDGES = ("gateway", "charon-systemd", "gateway.sstp.worker", "gateway.eap_tls.worker")
"""Processes that may be the judge, the likeliest last."""


async def _attempt(dialling: Dialling, over: VpnProtocol, shown: Forged, *, honest: bool) -> None:
    inside = await dialling.dial(over, shown)
    assert bool(inside) == honest, await dialling.bench.gateway.log()
    if inside:
        await inside.leave()


def _spent(program: int) -> dict[str, float]:
    """Seconds by process."""
    found: dict[str, float] = {}
    for pid, name in processes.family(program).items():
        found[name] = found.get(name, 0.0) + processes.seconds(pid)
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure, and print rows; exit code 1 if a chain costs more than it may."""
    parser = argparse.ArgumentParser(prog="p2slab bench judge", description=__doc__)
    parser.add_argument("--attempts", type=int, default=30)
    parser.add_argument("--over", choices=("IkeV2", "SSTP"), default="IkeV2")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "rows.json")

        async def run(bench: Bench) -> None:
            rows = await measure(bench, options.over, options.attempts)
            await asyncio.to_thread(keep, file, {"rows": rows})

        on_a_gateway(Path(directory), run, client("alice"))
        rows = json.loads(file.read_text())["rows"]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        _print(rows)
    return 0 if all(row["chain"] <= AIM for row in rows) else 1


def _print(rows: Sequence[dict[str, Any]]) -> None:
    judge = rows[0]["judge"]
    print(f"{'shown':<56}{judge + ', ms':>20}{'chain, ms':>11}{'ratio':>7}{'all, ms':>9}")
    for row in rows:
        print(
            f"{row['shown']:<56}{row['of the judge']:>20.2f}{row['chain']:>11.2f}"
            f"{row['ratio']:>7.2f}{row['all']:>9.2f}"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
