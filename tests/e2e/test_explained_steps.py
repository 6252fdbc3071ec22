"""Words of `expect:` that do not hold in a real lab are explained."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from lab.errors import EXPECTATION_FAILED, HELD
from lab.runtime.handle import Handle
from tests.e2e.test_hands import on, run

STEPS: dict[str, tuple[str, ...]] = {
    "{cannotReach: alice, host: app1, port: 80}": (
        "alice reaches app1 through its tunnel (IkeV2, 172.16.201.", "SYN-ACK from 10.1.1.4"),
    "{cannotReach: alice, host: contoso-gw, port: 443}": (
        "alice reaches contoso-gw beside its tunnel", "via 192.168.77.1 dev eth0"),
    "{resolves: alice, name: app1.contoso.internal, to: 10.1.1.99}": (
        "dns-inside", "nameserver 10.1.1.53 (dns1) answers 10.1.1.4", "not 10.1.1.99"),
    "{cannotResolve: alice, name: app1.contoso.internal}": (
        "nameserver 10.1.1.53 (dns1) answers 10.1.1.4 for app1.contoso.internal",),
    "{noCleartext: alice, host: app1, port: 81}": ("service", "listens on tcp port 81 of app1"),
    "{disconnected: alice, within: 0.5}": ("alice is connected over IkeV2", "since it dialled: "),
    "{staysDisconnected: alice, for: 0.5}": ("alice is connected over IkeV2, 172.16.201.",),
    "{refused: alice}": ("is none of the 1 of vpnClientRevokedCertificates", "the dial took"),
    "{connects: alice, over: OpenVPN, within: 0.001}": ("alice is connected over OpenVPN",),
    "{throughput: [alice], host: app1, atLeast: 9000, for: 1}": ("aggregate: tbf 650 Mbit/s",),
    "{update: contoso-gw, properties: {sku: {name: VpnGw7}}}": (
        "this is the gateway's own answer", "its document is in force, and Succeeded"),
    "{disconnect: carol}": ("client-policy", "it has not dialled since the lab was built"),
}  # fmt: skip
"""Steps that do not hold after alice has connected, with words of their explanations."""


@pytest.fixture(scope="module")
def explanations() -> Iterator[dict[str, Any]]:
    name = f"explained-{uuid.uuid4().hex[:8]}"
    code, _, err = run("up", "topologies/quickstart.yaml", "--name", name)
    assert code == HELD, err
    lab = Handle.open(name)
    try:
        assert on(lab, "connect", "alice", "-q")[0] == HELD
        found = {}
        for step in STEPS:
            code, out, err = on(lab, "check", step, "--json")
            assert code == EXPECTATION_FAILED, f"{step}: {out}{err}"
            [found[step]] = json.loads(out)
        yield found
    finally:
        lab.down()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_does_not_hold_is_explained(step: str, explanations: dict[str, Any]) -> None:
    told = json.dumps(explanations[step]["explanation"])
    missing = [words for words in STEPS[step] if words not in told]
    assert not missing, told
