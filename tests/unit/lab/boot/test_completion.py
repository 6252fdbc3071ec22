"""Completion: verbs and options from the table, names from running labs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab.boot import completion
from lab.boot.arguments import load_table
from lab.boot.verbs import VERBS
from lab.errors import UsageError

SOURCE = Path(__file__).parents[4]
TABLE = load_table(str(SOURCE))
NAMES = {"nodes": ["alice", "app1", "gw"], "clients": ["alice"], "gateways": ["gw"]}
LABS = ["office", "shop"]


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lab runs."""
    monkeypatch.setattr(completion, "running_labs", lambda _: LABS[:1])
    monkeypatch.setattr(completion, "asked", lambda _base, lab, _what: NAMES if lab in LABS else {})


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, one: None) -> None:
    """Two labs run."""
    monkeypatch.setattr(completion, "running_labs", lambda _: LABS)


def answer(*words: str) -> list[str]:
    return completion.answer(list(words), TABLE, "/nowhere")


def test_verbs_are_completed(one: None) -> None:
    assert answer("") == [*VERBS]
    assert answer("re") == ["restart", "revoke", "reinstate"]
    assert answer("nosuch", "") == [*VERBS]
    assert answer() == [*VERBS]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("connect", ""), ["alice"]),
        (("connect", "alice", ""), ["alice"]),
        (("connect", "--over", ""), ["IkeV2", "SSTP", "OpenVPN"]),
        (("connect", "--over", "IkeV2", "a"), ["alice"]),
        (("connect", "--o"), ["--over"]),
        (("shell", "a"), ["alice", "app1"]),
        (("exec", "a"), ["alice", "app1"]),
        (("exec", "alice,a"), ["alice,alice", "alice,app1"]),
        (("update", ""), ["gw"]),
        (("profile", ""), ["gw", "alice"]),
        (("cp", "al"), ["alice:/"]),
        (("down", ""), ["office"]),
        (("logs", "--name", "o"), ["office"]),
        (("fault", "s2s-c"), ["s2s-cut"]),
        (("pki", ""), ["root", "intermediate", "client"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("doctor", ""), []),
        (("verify", ""), []),
        (("up", "--dry"), ["--dry-run"]),
    ],
)
def test_names_and_options_are_completed(
    words: tuple[str, ...], found: list[str], one: None
) -> None:
    assert sorted(answer(*words)) == sorted(found)


def test_of_two_labs_the_named_one_is_asked(two: None) -> None:
    assert answer("connect", "") == []
    assert answer("connect", "--name", "shop", "") == ["alice"]
    assert answer("connect", "--name=shop", "") == ["alice"]
    assert answer("connect", "--name", "nosuch", "") == []


def test_a_lab_that_does_not_answer_completes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "running_labs", lambda _: ["office"])
    assert answer("connect", "") == []


def test_an_unknown_shell_is_refused() -> None:
    with pytest.raises(UsageError, match="tcsh"):
        completion.run(str(SOURCE), ["tcsh"])


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    """What a person gets after `p2slab conn<TAB>`: the function is called as bash calls it."""
    program = tmp_path / "p2slab"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\nprintf 'one\\ntwo words\\n'\n")
    program.chmod(0o755)
    script = completion.SCRIPTS["bash"] + (
        "COMP_WORDS=(p2slab exec 'a b' ''); COMP_CWORD=3; _p2slab; "
        "printf '%s|' \"${COMPREPLY[@]}\"; complete -p p2slab"
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("one|two words|complete ")
    assert (tmp_path / "asked").read_text() == "completion answer -- exec a b \n"


def test_the_table_names_arguments_as_completion_knows_them() -> None:
    named = {row["name"] for rules in TABLE.values() for row in rules["arguments"]}
    assert {*completion._KINDS, *completion._IN_NODES, "NAME"} <= named
    assert json.dumps(TABLE)
