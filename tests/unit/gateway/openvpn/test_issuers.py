"""The library with which openvpn tells issuers of one name apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.common import compiled
from gateway.openvpn.issuers import FLAGS, SOURCE, issuers

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    compiled.build(SOURCE, tmp_path, (*FLAGS, *STRICT))


def test_openvpn_loads_it() -> None:
    found = issuers()
    assert Path(found.environment["LD_PRELOAD"]).exists()
    assert found.missing == ""


def test_without_a_compiler_refusals_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    found = issuers()
    assert found.environment == {}
    assert found.missing.endswith("because issuers.c is not compiled: no C compiler "
                                  "(gcc, cc, clang) on PATH")  # fmt: skip
