"""Habitual variants of the command line, and the messages for wrong ones."""

from __future__ import annotations

import errno
import os
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lab.cli import labs
from lab.errors import LabError, UsageError
from lab.faults.kinds import KINDS


def invoke(verb: str, *arguments: str, **options: Any) -> Result:
    command = import_module(f"lab.cli.{verb}").command
    return CliRunner().invoke(command, arguments, **options)


def refused(verb: str, *arguments: str, **options: Any) -> str:
    """What is said of a wrong command line."""
    error = invoke(verb, *arguments, **options).exception
    assert isinstance(error, UsageError)
    return str(error)


@pytest.fixture
def two_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [SimpleNamespace(name="office"), SimpleNamespace(name="shop")]
    monkeypatch.setattr(labs, "running", lambda: names)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("exec alice -- sh -c 'ls /'", "exec --name shop alice -- sh -c 'ls /'"),
        ("shell alice", "shell --name shop alice"),
        ("fault s2s-cut --for 20s", "fault --name shop s2s-cut --for 20s"),
        ("approve bob", "approve --name shop bob"),
        ("deny bob", "deny --name shop bob"),
        ("down --keep-logs", "down --name shop --keep-logs"),
    ],
)
def test_where_several_labs_run_the_command_to_type_is_reported(
    typed: str, completed: str, two_labs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    verb, *arguments = shlex.split(typed)
    monkeypatch.setattr("sys.argv", ["p2slab", verb, *arguments])
    said = refused(verb, *arguments).splitlines()
    assert said[0] == "2 labs are running"
    assert said[2].strip() == f"p2slab {completed}"


@pytest.mark.parametrize("verb", ["status", "down"])
@pytest.mark.parametrize("way", [("nosuch",), ("--name", "nosuch"), ("nosuch", "--name", "nosuch")])
def test_a_lab_is_named_either_way(verb: str, way: tuple[str, ...]) -> None:
    assert "lab nosuch is not running" in refused(verb, *way) or "no lab" in refused(verb, *way)
    assert "two labs are named: nosuch and other" in refused(verb, "nosuch", "--name", "other")


@pytest.mark.parametrize("dashes", [(), ("--",)])
def test_exec_leaves_out_the_dashes_of_other_tools(
    dashes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[Any] = []
    lab = SimpleNamespace(enter=lambda node: node)
    module = import_module("lab.cli.exec")
    monkeypatch.setattr(module, "opened", lambda _: lab)
    monkeypatch.setattr(module, "enter", lambda way, argv: entered.append((way, argv)) or 7)
    done = invoke("exec", "alice", *dashes, "ls", "--", "-l")
    assert (done.exit_code, entered) == (7, [("alice", ("ls", "--", "-l"))])


def test_exec_of_nothing_says_how_it_is_written() -> None:
    assert "p2slab exec alice -- ls /" in refused("exec", "alice", "--")


def test_faults_are_listed_and_a_mistyped_one_is_reported() -> None:
    said = invoke("fault", "--help").output
    assert all(f"  {name}  " in said for name in KINDS)
    assert "did you mean 's2s-cut'?" in refused("fault", "s2scut")


@pytest.mark.parametrize(
    ("option", "words"),
    [("--for", "--for: '3' is not a time; write it like"), ("--by", "--by: '3' is not a time")],
)
def test_a_wrong_time_of_a_fault_is_reported_with_its_option(option: str, words: str) -> None:
    said = refused("fault", "radius-slow", option, "3")
    assert said.startswith(words)
    assert "Value error" not in said


def test_benchmarks_are_listed_without_their_parts_and_a_mistyped_one_is_reported() -> None:
    said = invoke("bench", "--help").output
    assert all(f"  {name}  " in said for name in ("lab", "soak", "sstp-soak", "ike-crowd"))
    assert not any(part in said for part in ("radius-labs", "plain-tls", "`", "()"))
    assert "did you mean 'soak'?" in refused("bench", "soke")


def test_without_a_terminal_the_password_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("P2SLAB_P12_PASSWORD", raising=False)
    here = ("--out", str(tmp_path))
    assert invoke("pki", "root", "corp", *here).exit_code == 0
    said = refused("pki", "client", "alice", "--issuer", "corp", *here)
    assert "--password-file FILE, or P2SLAB_P12_PASSWORD" in said
    assert not (tmp_path / "alice.key").exists()
    told = ("client", "alice", "--issuer", "corp", "--password-file", "-", *here)
    assert invoke("pki", *told, input="secret\n").exit_code == 0
    assert (tmp_path / "alice.p12").exists()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for file, words in (("none", "No such file"), ("", "Is a directory"), ("bytes", "not UTF-8")):
        of_a_file = ("--password-file", str(tmp_path / file))
        assert words in refused("pki", "client", "bob", "--issuer", "corp", *of_a_file, *here)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("no", "yes"), 2, "p2slab: no\n  try: yes\n"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 3, "No space left on device"),
        (KeyError("x"), 4, "p2slab: a bug in p2slab: 'x'\n  try: please report it, with "),
        (TimeoutError("charon: not within 3 s"), 4, "p2slab: charon: not within 3 s\n"),
        (LabError("the lab has ended"), 4, "p2slab: the lab has ended\n"),
        (KeyboardInterrupt(), 130, "p2slab: interrupted\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_goes_wrong_is_one_message_and_a_code(  # noqa: PLR0917 (fixtures)
    error: BaseException,
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from lab.boot import streams
    from lab.cli import group, main

    def run() -> int:
        raise error

    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(group, "run", run)
    monkeypatch.setattr(main, "take_over", lambda: None)
    monkeypatch.setattr(streams, "prepare", lambda: None)  # capfd has them
    assert main.main() == code
    said = capfd.readouterr().err
    assert words in said
    assert (words == "") is (said == "")
    assert "Traceback" not in said
    log = tmp_path / "fault.log"
    unforeseen = code == 4 and not isinstance(error, LabError)
    assert log.exists() is unforeseen
    if unforeseen:
        assert str(log) in said
        assert "Traceback" in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600
