"""Verbs import little and end at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.topology.model.steps import Connects, TimedFault
from lab.topology.model.topology import Topology
from lab.topology.reading.docstrings import description

DEAR = {"pydantic", "cryptography", "aiohttp", "rich", "asyncio", "scapy", "pyroute2", "vici"}
IMPORTS = {
    "lab.cli.main": DEAR,
    "lab.cli.up": DEAR,
    "lab.cli.exec": DEAR,
    "lab.cli.status": DEAR - {"rich"},
    "lab.topology.load": DEAR - {"pydantic"},
    "lab.pytest_plugin": DEAR,
    "lab.runtime.lab": DEAR - {"pydantic", "asyncio"},
    "gateway.program, gateway.control, gateway.reconcile": {"aiohttp", "Crypto", "scapy"},
    "gateway.eap_tls.worker.program": {"Crypto", "asyncio", "pydantic"},
    "gateway.sstp.worker.program": DEAR | {"Crypto", "OpenSSL", "cffi", "subprocess"},
}
"""Modules, and packages that they must not import."""


def python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-c", code]
    return subprocess.run(argv, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("module", IMPORTS)
def test_what_is_dear_is_imported_late(module: str) -> None:
    told = python(f"import sys, {module}; print(*sys.modules)")
    assert not told.stderr
    assert not IMPORTS[module] & {name.split(".")[0] for name in told.stdout.split()}


def test_pydantic_looks_for_no_plugins() -> None:
    code = """
import sys
from gateway.common.quick_start import hurry
hurry()

from lab.topology.model.topology import Topology
assert Topology(name="x", story="x", vnets={}).name == "x"
print(*sys.modules)
"""
    told = python(code)
    assert not told.stderr
    assert "importlib.metadata" not in told.stdout.split()


def test_a_verb_that_leaves_has_written_everything_and_is_not_taken_apart() -> None:
    code = """
import atexit
from lab.cli.leaving import leave
atexit.register(print, "taken apart")
print("all of it" * 10000, end="")
leave(3)
"""
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (3, "all of it" * 10000, "")


@pytest.mark.parametrize("closing", ["sys.stdout = None", "os.close(1)", "sys.stdout.close()"])
def test_a_verb_can_leave_without_output(closing: str) -> None:
    code = f"import os, sys; from lab.cli.leaving import leave; {closing}; leave(3)"
    assert python(code).returncode == 3


def test_what_is_written_below_a_field_describes_it() -> None:
    assert description(Topology, "name")
    assert description(Connects, "after") == "The protocol that was dialled first, and failed."
    assert (
        description(TimedFault, "seconds")
        == "How long it lasts, such as 20s; left out, until `endFault`."
    )
    assert not description(Connects, "connects")
