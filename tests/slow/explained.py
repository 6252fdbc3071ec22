"""Whoever a topology of the project refuses is explained right: p2slab test tests/slow/explained.py

Builds each topology, carries out its steps, and after each that somebody is refused by, or does not
reach something, asks `explain`. Half an hour on two processors; -k NAME chooses topologies.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.explain.model import lines
from lab.report.session import build, start_lab
from lab.report.verdict import Verdict
from lab.runtime.handle import Handle
from lab.runtime.protocol import StepResult
from lab.topology.load import TopologyFile, load
from lab.topology.model.steps import (
    Approve,
    CannotReach,
    CannotResolve,
    Deny,
    Refused,
    Step,
    text_of,
)

CHECKOUT = Path(__file__).parents[2]
FILES = sorted((CHECKOUT / "topologies").glob("*.yaml"))

LAYERS: dict[str, str] = {
    "administrator": "client-policy",
    "binding": "tls",
    "certificate": "certificate",
    "certificate-revoked": "revocation",
    "expired": "certificate",
    "limit": "limit",
    "no-address": "pool",
    "no-answer": "firewall",
    "no-certificate": "certificate",
    "no-client-auth": "certificate",
    "no-proposal": "ike-proposal",
    "no-protocol": "profile-stale",
    "not-yet-valid": "certificate",
    "proxy": "proxy",
    "revoked": "revocation",
    "second-factor-denied": "factor",
    "second-factor-late": "factor",
    "system": "client-policy",
    "tls": "tls",
    "typed-code": "factor",
    "untrusted": "certificate",
}
"""The layer of each reason of `refused`; others are a RADIUS server's verdict."""

ELSEWHERE: dict[tuple[str, str], str] = {
    ("expressroute-radius", "radius-no-answer"): "radius-path",
    ("gateway-sizes", "no-answer"): "gateway-down",
    ("mfa-too-late", "radius-no-answer"): "factor",
    ("radius-failover", "radius-no-answer"): "radius-path",
    ("radius-in-vnet", "radius-no-answer"): "radius-secret",
    ("s2s-down", "radius-no-answer"): "firewall",
    ("s2s-routes", "radius-no-answer"): "radius-path",
    ("zone-redundant", "no-answer"): "gateway-down",
}
"""Where a topology and a reason have another, for the layer is that of the cause behind it."""

BEHIND: dict[tuple[str, str], str] = {
    ("corporate-proxy", "dave"): "firewall",
    ("corporate-proxy", "erin"): "proxy",
    ("expressroute-radius", "contoso-gw"): "route",
    ("gateway-sizes", "alice"): "gateway-down",
    ("gateway-sizes", "till"): "gateway-down",
    ("hotel-wifi", "carol"): "firewall",
    ("mfa-too-late", "alice"): "factor",
    ("quickstart", "alice"): "client-policy",
    ("quickstart", "carol"): "revocation",
    ("revoked-certificate", "alice"): "revocation",
    ("s2s-down", "app1"): "firewall",
    ("s2s-routes", "app1"): "route",
    ("sstp", "alice"): "client-policy",
    ("sstp", "carol"): "revocation",
    ("sstp-proxy", "dave"): "firewall",
    ("sstp-proxy", "erin"): "proxy",
    ("sstp-proxy-radius", "dave"): "firewall",
    ("sstp-proxy-radius", "david"): "client-policy",
    ("tls-too-old", "old"): "tls",
    ("tls-too-old-openvpn", "old"): "tls",
    ("wrong-ca", "mallory"): "certificate",
    ("zone-redundant", "bob"): "gateway-down",
}
"""The layer of what a node of a topology does not reach."""


def groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Up to each that is asked about, which is the last, with the user's answers beside it."""
    group: list[Step] = []
    for step in steps:
        asked = bool(group) and isinstance(group[-1], ASKED)
        if asked and isinstance(step, Approve | Deny):
            group.insert(-1, step)
            continue
        if asked:
            yield group
            group = []
        group.append(step)
    if group:
        yield group


ASKED = (Refused, CannotReach, CannotResolve)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[tuple[Handle, TopologyFile]]:
    file = load(request.param)
    handle = start_lab(file, f"explained-{uuid.uuid4().hex[:8]}")
    try:
        assert build(handle, Verdict(handle.name, str(file.path)), lambda _: None)
        yield handle, file
    finally:
        handle.down()


def explained(handle: Handle, step: Step) -> dict[str, Any]:
    if isinstance(step, Refused):
        return handle.explain(step.refused)
    if isinstance(step, CannotResolve):
        return handle.explain(step.cannotResolve, f"{step.name}:1")
    port = f":{step.protocol}/{step.port}" if step.port else ""
    return handle.explain(step.cannotReach, f"{step.host or step.address}{port}")


def wanted(name: str, step: Step) -> str:
    if isinstance(step, Refused):
        own = LAYERS.get(str(step.because), "radius-verdict")
        return ELSEWHERE.get((name, str(step.because)), own)
    if isinstance(step, CannotResolve):
        return "dns-inside"
    return BEHIND[name, step.cannotReach]


@pytest.mark.parametrize("lab", FILES, indirect=True, ids=[path.stem for path in FILES])
def test_who_is_refused_is_explained(lab: tuple[Handle, TopologyFile]) -> None:
    handle, file = lab
    wrong = []
    for group in groups(file.topology.expect):
        results: list[StepResult] = []
        handle.run(group, lambda event, to=results: to.append(event))  # type: ignore[misc]
        wrong += [f"did not hold: {one.text}: {one.detail}" for one in results
                  if isinstance(one, StepResult) and not one.held]  # fmt: skip
        if isinstance(group[-1], ASKED):
            began = time.monotonic()
            found = explained(handle, group[-1])
            print(
                f"=== {text_of(group[-1])} [{found.get('layer')}] {time.monotonic() - began:.1f} s"
            )
            print(*lines(found), sep="\n", flush=True)
            try:
                layer = wanted(file.topology.name, group[-1])
            except KeyError:
                layer = "?"
            if found.get("layer") != layer:
                text = text_of(group[-1])
                wrong.append(f"{text}: {found.get('layer')}, not {layer}: {found['sentence']}")
    assert not wrong, "\n".join(wrong)
