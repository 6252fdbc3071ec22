"""Remarks of a report about the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.kernel import neighbour_table
from lab.report.machine import remarks

TABLE = """\
entries  allocs   destroys table_fulls
0000001f 00000062 00000053 {:08x}
0000001f 0000041a 0000040a {:08x}
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = [tmp_path / name for name in ("arp", "nd")]
    for file in files:
        file.write_text(TABLE.format(1, 17))
    monkeypatch.setattr(neighbour_table, "STATISTICS", [*map(str, files), "/nosuchfile"])
    return files[0]


def about(waited: float = 0.0, refused: int = 36) -> dict[str, Any]:
    turns = {"ran": 0.6, "waited": waited}
    return {"age": 9.0, "processor": {"gw": turns}, "neighboursRefusedBefore": refused}


def test_the_kernel_s_counts_are_of_all_processors_and_both_versions(table: Path) -> None:
    assert neighbour_table.refused() == 36
    table.write_text("nonsense")
    assert neighbour_table.refused() == 18


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("status", [{}, about(), about(waited=0.6), about(refused=40)])
def test_a_machine_that_is_not_overloaded_gets_no_remark(status: dict[str, Any]) -> None:
    assert list(remarks(status)) == []


@pytest.mark.usefixtures("table")
def test_who_had_no_turn_and_a_full_table_are_named() -> None:
    busy, full = remarks(about(waited=2.5, refused=30))
    assert busy == ("the machine was busy: gw waited 2.5 s of 9.0 s for a processor, and ran 0.6 s")
    assert full.startswith("the machine's neighbour table was full 6 times meanwhile: ")
