"""What RADIUS costs (`p2slab bench radius`): ratios within one run.

    dial       from the dial to the first ping, users checked by a RADIUS server behind a
               site-to-site tunnel against native certificates; the labs of both are up side by
               side and take turns. The dial includes what a computer does for it: it fetches the
               profile and starts its program.
    logins     200 users with passwords over both protocols at one time, as fast as they go
    servers    RADIUS and Active Directory alone: from nothing and from what was kept to the first
               login, and how long one authentication takes (tests.bench.radius_servers)

Everything shares the machine's processors, the clients included.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from lab.clients.profile import read_profile
from lab.nodes.base import Completed
from tests.bench import radius_labs, radius_servers
from tests.bench.radius_labs import DIALS, GATEWAY, LOADERS, Running, running

RUNS = 7
LOGINS = 200
LOAD_LIMIT = 180.0


def say(text: str) -> None:
    """A line for a person."""
    print(text, file=sys.stderr)


# ---- dial


def measure_dial(options: argparse.Namespace) -> dict[str, Any]:
    """Medians in seconds, by program and by who checks what, and ratios to native."""
    taken: dict[tuple[str, str], list[float]] = {}
    with running(radius_labs.native()) as native, running(radius_labs.radius()) as radius:
        ways = (("native certificate", native, "certificate"),
                ("RADIUS, certificate", radius, "certificate"),
                ("RADIUS, password", radius, "password"))  # fmt: skip
        for number in range(-1, options.runs):  # the first warms caches and is not counted
            for program in DIALS:
                for way, lab, shows in ways:
                    seconds = _dial(lab, f"{program}-{shows}", DIALS[program])
                    if number >= 0:
                        taken.setdefault((program, way), []).append(seconds)
    rows = []
    for (program, way), times in taken.items():
        ratio = median(times) / median(taken[program, "native certificate"])
        rows.append({"program": program, "way": way, "median": round(median(times), 3),
                     "slowest": round(max(times), 3), "to native": round(ratio, 2)})  # fmt: skip
        say(f"dial to first ping  {program:<6}{way:<20}{median(times):7.3f} s   "
            f"slowest {max(times):.3f}   to native {ratio:.2f}")  # fmt: skip
    return {"dial": rows}


def _dial(lab: Running, client: str, over: str) -> float:
    reach = {"reaches": client, "host": "app1", "protocol": "icmp"}
    _, dialled_, pinged = lab.steps({"hangUp": client}, {"connects": client, "over": over}, reach)
    lab.steps({"hangUp": client})
    return dialled_.seconds + pinged.seconds


# ---- logins


def measure_logins(options: argparse.Namespace) -> dict[str, Any]:
    """Half of the users over each protocol: one protocol after the other, then both together."""
    half = options.logins // 2
    figures: dict[str, Any] = {}
    with running(radius_labs.crowd(half)) as lab:
        name = _prepare(lab)
        server = _limit(lab, half)
        alone = {node: _load(lab, node, half, name) for node in LOADERS}
        with ThreadPoolExecutor(len(LOADERS)) as pool:
            began = time.monotonic()
            both = list(pool.map(lambda node: _load(lab, node, half, name), LOADERS))
            wall = time.monotonic() - began
    together = max(one["seconds"] for one in both)
    limit = half / server["seconds"]
    rates = {node: half / one["seconds"] for node, one in alone.items()}
    rates |= {"both at one time": 2 * half / together, "RADIUS alone": limit}
    for what, rate in rates.items():
        figures[what] = {"per second": round(rate, 1), "to RADIUS alone": round(rate / limit, 3)}
        say(f"logins  {what:<18}{rate:8.1f} per second, 0 failures   "
            f"to RADIUS alone {rate / limit:.3f}")  # fmt: skip
    say(f"logins  {2 * half} over both in {wall:.1f} s, with the start of the programs")
    return {"logins": figures}


def _prepare(lab: Running) -> str:
    """Every loader has the root; the gateway's name."""
    profile = read_profile(base64.b64decode(lab.handle.operate(GATEWAY, "profile")["value"]))
    for node in LOADERS:
        write = ["sh", "-c", "cat > /run/root.pem"]
        _done(lab.handle.exec(node, write, input=profile.server_root.decode()))
    return profile.server


def _limit(lab: Running, number: int) -> dict[str, Any]:
    """The RADIUS server alone, from the gateway's own address."""
    shown = _done(lab.handle.exec(GATEWAY, ["ip", "-json", "route", "get", radius_labs.SERVER]))
    own: str = json.loads(shown.stdout)[0]["prefsrc"]
    return _run(lab, GATEWAY, "radius", number, own, radius_labs.SERVER, radius_labs.SECRET)


def _load(lab: Running, node: str, number: int, name: str) -> dict[str, Any]:
    return _run(lab, node, node.removeprefix("load-"), number, name, "/run/root.pem")


def _run(lab: Running, node: str, how: str, number: int, *more: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.radius_load", how, str(number), *more]
    done = _done(lab.handle.exec(node, argv, limit=LOAD_LIMIT))
    told: dict[str, Any] = json.loads(done.stdout)
    if told["failures"]:
        failures = told["failures"]
        raise RuntimeError(f"{node}: {len(failures)} of {number} failed, such as {failures[0]}")
    return told


def _done(done: Completed) -> Completed:
    if done.code:
        raise RuntimeError(done.output[-2000:])
    return done


# ---- servers


def measure_servers(options: argparse.Namespace) -> dict[str, Any]:
    """Active Directory and RADIUS alone."""
    return {"servers": radius_servers.measure_servers(options.runs)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "dial": measure_dial,
    "logins": measure_logins,
    "servers": measure_servers,
}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print figures and ratios."""
    name, about = "p2slab bench radius", (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("--json", type=Path, help="write the figures there as JSON")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each dial and start ({RUNS})")
    parser.add_argument("--logins", type=int, default=LOGINS, help=f"in all ({LOGINS})")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="a part of it")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    for part in options.only or PARTS:
        figures |= PARTS[part](options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
