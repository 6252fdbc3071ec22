"""The part of the caller's environment that a lab keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.boot.enter import environment
from lab.nodes.environment import environment as of_a_node


def test_turning_the_compiled_part_off_reaches_the_gateways_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("P2SLAB_NATIVE", "off")
    inside = environment(str(tmp_path), str(tmp_path), "/run/p2slab")
    assert inside["P2SLAB_NATIVE"] == "off"
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    assert of_a_node()["P2SLAB_NATIVE"] == "off"


def test_proxies_paths_and_secrets_of_the_caller_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("https_proxy", "PYTHONPATH", "LD_PRELOAD", "P2SLAB_P12_PASSWORD"):
        monkeypatch.setenv(name, "/mine")
    inside = environment(str(tmp_path), str(tmp_path), "/run/p2slab")
    assert not {"https_proxy", "LD_PRELOAD"} & set(inside)
    assert inside["PYTHONPATH"].endswith(str(tmp_path))
    assert "P2SLAB_P12_PASSWORD" not in of_a_node()
