"""The end of `verify` shows each client's kernel."""

from __future__ import annotations

import pytest

from lab.report.terminal import print_verdict
from lab.report.verdict import Verdict

OWN = "user-mode Linux 6.1.176"
WHY = "no PPP in this machine's kernel"


def test_clients_are_reported_by_kernel_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict("office", "office.yaml")
    verdict.lab = {
        "clients": [
            {"name": "alice", "kernel": OWN, "why": WHY},
            {"name": "bob", "kernel": "Linux 6.18.1"},
            {"name": "carol", "kernel": OWN, "why": WHY},
        ]
    }
    print_verdict(verdict)
    said = capsys.readouterr().out.splitlines()
    assert f"alice, carol: on {OWN}: {WHY}" in said
    assert "bob: on Linux 6.18.1" in said
    assert verdict.as_data()["clients"] == verdict.lab["clients"]
