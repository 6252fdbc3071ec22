from __future__ import annotations

import resource
from pathlib import Path

import pytest

from lab.boot import doctor, limits, preflight
from lab.errors import MachineError


@pytest.mark.parametrize(("fulls", "ok"), [(("00000000", "00000000"), True), (("0a", "01"), False)])
def test_a_full_neighbour_table_is_reported(
    tmp_path: Path, fulls: tuple[str, str], ok: bool
) -> None:
    settings = tmp_path / "sys/net/ipv4/neigh/default"
    settings.mkdir(parents=True)
    (settings / "gc_thresh3").write_text("1024\n")
    (tmp_path / "net/stat").mkdir(parents=True)
    rows = [f"00000010 00000001 {full}" for full in fulls]
    (tmp_path / "net/stat/arp_cache").write_text("\n".join(["entries allocs table_fulls", *rows]))
    (finding,) = doctor._neighbours(tmp_path)
    assert finding.ok is ok
    assert finding.detail.startswith("1024 entries")
    assert ("was full 11 times" in finding.detail) is not ok
    assert "gc_thresh3" in finding.remedy


def test_a_namespace_that_cannot_see_the_table_says_nothing_of_it(tmp_path: Path) -> None:
    assert doctor._neighbours(tmp_path) == []


def test_without_namespaces_no_module_is_offered_for_what_is_in_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise MachineError("no namespaces for a lab", preflight.CONTAINER)

    monkeypatch.setattr(doctor, "make_namespaces", refuse)
    findings = {finding.what: finding for finding in doctor.examine(str(Path(__file__).parents[4]))}
    assert not findings["namespaces"].ok
    for what in ("nftables", "kernel ESP", "PPP"):
        assert not findings[what].ok
        assert findings[what].remedy == ""


def test_a_limit_that_is_too_low_for_a_lab_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    too_low = (resource.RLIMIT_NOFILE, "-n", 1 << 40, 1, "open files")
    monkeypatch.setattr(limits, "_LEAST", (too_low,))
    findings = {finding.what: finding for finding in doctor.examine(str(Path(__file__).parents[4]))}
    assert findings["limits"].needed
    assert not findings["limits"].ok
    assert "ulimit -n unlimited" in findings["limits"].remedy
