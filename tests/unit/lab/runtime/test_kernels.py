"""Which nodes get their own kernel."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from gateway.common import calls
from gateway.common.nft import NftError
from lab.errors import MachineError
from lab.kernel import shapers
from lab.runtime import kernels
from lab.topology.planning.plan import NodePlan, Plan

PLAN = Plan(
    "p", "",
    nodes=(NodePlan("alice", "client", needs=("ppp",)), NodePlan("bob", "client")),
    links=(), certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip


def test_no_node_does_if_the_machines_kernel_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kernels._PROBES, "ppp", lambda: None)
    assert kernels.lacking(PLAN) == {}


def test_a_node_that_needs_a_missing_feature_gets_its_own_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacks() -> None:
        raise FileNotFoundError(2, os.strerror(2), "/dev/ppp")

    monkeypatch.setitem(kernels._PROBES, "ppp", lacks)
    told = "no PPP in this machine's kernel (No such file or directory)"
    assert kernels.lacking(PLAN) == {"alice": told}


def test_no_machine_has_a_clock_for_each_computer() -> None:
    plan = replace(PLAN, nodes=(NodePlan("alice", "client", needs=("clock",)),))
    assert kernels.lacking(plan)["alice"].startswith("no clock for one computer alone in this")


@pytest.mark.parametrize("lacks", [OSError(2, "No such file or directory"), NftError("no netdev")])
def test_a_lab_whose_rates_the_kernel_cannot_keep_is_not_built(
    monkeypatch: pytest.MonkeyPatch, lacks: Exception
) -> None:
    def fail() -> None:
        raise lacks

    monkeypatch.setattr(calls, "unshare", lambda _: None)
    monkeypatch.setitem(shapers.TRIALS, "tbf", (lambda: None, "rates"))
    monkeypatch.setitem(shapers.TRIALS, "netem", (fail, "latency: sch_netem"))
    home = NodePlan("home", "access", shapers=("tbf", "netem"))
    kernels.refuse_without_shapers(
        replace(PLAN, nodes=(NodePlan("a", "access", shapers=("tbf",)),))
    )
    with pytest.raises(MachineError) as refused:
        kernels.refuse_without_shapers(replace(PLAN, nodes=(*PLAN.nodes, home)))
    said = f"this machine's kernel cannot do latency: sch_netem ({lacks}): for home"
    assert refused.value.message == said
