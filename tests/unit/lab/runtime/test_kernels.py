"""Which nodes get their own kernel."""

from __future__ import annotations

import os

import pytest

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
