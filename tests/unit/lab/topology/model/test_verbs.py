"""`validate` and `schema` as a person calls them: stdout is data, exit code 2 for a bad file."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from lab.cli import schema, validate
from lab.errors import USAGE
from tests.unit.lab.topology.spoiling import SOUND, TOPOLOGIES


def test_validate_says_of_each_good_file_that_it_is(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(SOUND)
    result = CliRunner().invoke(validate.command, [str(good)])
    assert result.exit_code == 0
    assert result.output == f"{good}: ok (6 nodes, 1 client, 2 steps)\n"


def test_validate_accepts_all_topologies_of_the_project() -> None:
    result = CliRunner().invoke(validate.command, [str(path) for path in TOPOLOGIES])
    assert result.exit_code == 0
    assert result.output.count(": ok (") == len(TOPOLOGIES)


def test_validate_prints_every_problem_of_every_file_and_ends_with_2(tmp_path: Path) -> None:
    good, bad, none = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "none.yaml"
    good.write_text(SOUND)
    bad.write_text(SOUND.replace("behind: home", "behind: hom").replace("host: app1", "host: ap"))
    result = CliRunner().invoke(validate.command, [str(path) for path in (bad, none, good)])
    assert result.exit_code == USAGE
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{bad}:25:34: there is no access network 'hom'; did you mean")
    assert lines[1].startswith(f"{bad}:28:28: there is no node 'ap'")
    assert lines[2].startswith(f"{none}:1:1: no such file")
    assert lines[3].startswith(f"{good}: ok")


def test_validate_tells_programs_the_same(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: a: b\n")
    result = CliRunner().invoke(validate.command, ["--json", str(bad)])
    [answer] = json.loads(result.output)
    assert result.exit_code == USAGE
    assert answer["ok"] is False
    assert {**answer["problems"][0], "message": "", "remedy": ""} == {
        "file": str(bad), "line": 1, "column": 8, "message": "", "remedy": "",
    }  # fmt: skip


def test_schema_prints_a_json_schema() -> None:
    result = CliRunner().invoke(schema.command, [])
    assert result.exit_code == 0
    assert json.loads(result.output)["title"] == "p2slab topology"
