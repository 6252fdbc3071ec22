"""Several labs concurrently, replaced by functions: order, names, failures, interrupts."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OURS
from lab.report import many
from lab.report.verdict import Verdict
from lab.topology.load import TopologyFile, load_bytes

TEXT = """\
name: {name}
story: Two hosts.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app}}, app2: {{subnet: app}}}}
expect: [{{reaches: app2, host: app1, protocol: icmp}}]
"""


def topology(name: str, file: str = "") -> TopologyFile:
    made = load_bytes(TEXT.format(name=name).encode(), "x.yaml", Path())
    return TopologyFile(Path(file or f"{name}.yaml"), made, (8,))


def verdicts(
    verify: Callable[[TopologyFile], Verdict],
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    jobs: int = 2,
) -> list[Verdict]:
    """Of workers whose labs are this function."""

    def played(topology: TopologyFile, *, name: str | None, **_: Any) -> Verdict:
        made = verify(topology)
        made.name = name or made.name
        return made

    monkeypatch.setattr(many, "verify", played)
    files = [topology(name) for name in names]
    return list(many.verify_all(files, name=None, keep=False, jobs=jobs))


def plain(topology: TopologyFile) -> Verdict:
    return Verdict.of(topology, topology.topology.name)


def test_verdicts_come_in_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "after")

    def verify(topology: TopologyFile) -> Verdict:
        """The first ends only when the second does."""
        with (tmp_path / "after").open("r" if topology.topology.name == "a" else "w"):
            return plain(topology)

    assert [v.name for v in verdicts(verify, ["a", "b"], monkeypatch)] == ["a", "b"]


def test_no_more_labs_than_asked_for_are_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(topology: TopologyFile) -> Verdict:
        """Alone, or it fails."""
        os.close(os.open(tmp_path / "alone", os.O_CREAT | os.O_EXCL))
        (tmp_path / "alone").unlink()
        return plain(topology)

    found = verdicts(verify, ["a", "b", "c", "d"], monkeypatch, jobs=1)
    assert [v.failure for v in found] == [None] * 4


def test_labs_of_the_same_name_get_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verdicts(plain, ["a", "b", "a", "a"], monkeypatch)
    assert [v.name for v in found] == ["a", "b", "a-2", "a-3"]
    assert many.lab_names([topology("a"), topology("b")], "x") == ["x", "x-2"]


def test_a_lab_that_fails_is_a_verdict_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))

    def verify(topology: TopologyFile) -> Verdict:
        if topology.topology.name == "broken":
            raise KeyError("x")
        if topology.topology.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(topology)

    broken, killed, good = verdicts(verify, ["broken", "killed", "good"], monkeypatch)
    assert broken.failure
    assert (broken.failure.message, broken.code) == ("a bug in p2slab: 'x'", OURS)
    assert "KeyError" in (tmp_path / "fault.log").read_text()
    assert killed.failure
    assert "was killed" in killed.failure.message
    assert good.code == 0


def test_a_worker_that_was_collected_is_sent_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting another process reaps it; its process ID may be in use again."""
    many_wait = many.wait

    def wait(lines: list[Any]) -> list[Any]:
        monkeypatch.setattr(many, "wait", many_wait)
        while children := multiprocessing.active_children():
            many_wait([child.sentinel for child in children])
        raise KeyboardInterrupt

    monkeypatch.setattr(many, "wait", wait)
    with pytest.raises(KeyboardInterrupt) as end:
        verdicts(plain, ["a", "b"], monkeypatch)
    assert end.value.__notes__ == ["0 of 2 files done, 0 held"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_and_gathers_what_they_had_seen(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a terminal, the workers hear of it themselves, too."""
    for name in "ab":
        os.mkfifo(tmp_path / name)

    def verify(topology: TopologyFile, **_: Any) -> Verdict:
        name = topology.topology.name
        if name == "done":
            return plain(topology)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, [many.STOP])  # or it might come before
        (tmp_path / name).write_text("ready")
        signal.sigwait([many.STOP])
        end = KeyboardInterrupt()
        end.add_note(f"{name} was taken down")
        raise end

    def interrupt() -> None:
        for name in "ab":
            (tmp_path / name).read_text()
        assert main
        signal.pthread_kill(main, number)  # this thread must not take it, for the main one sleeps

    def wait(lines: list[Any]) -> list[Any]:
        if armed:  # here, for an interrupt that came sooner would be the test's own
            armed.pop().start()
        return many_wait(lines)

    main = threading.main_thread().ident
    armed: list[threading.Thread] = []
    many_wait = many.wait
    monkeypatch.setattr(many, "wait", wait)
    monkeypatch.setattr(many, "verify", verify)
    files = [topology(name) for name in ("done", "a", "b")]
    before = signal.signal(number, signal.default_int_handler)
    try:
        found = many.verify_all(files, name=None, keep=False, jobs=3)
        assert next(iter(found)).name == "done"
        armed.append(threading.Thread(target=interrupt))  # all have been forked: there may be some
        with pytest.raises(KeyboardInterrupt) as end:
            list(found)
    finally:
        signal.signal(number, before)
    notes = end.value.__notes__
    assert notes[0] == "1 of 3 files done, 1 held"
    assert sorted(notes[1:]) == ["a was taken down", "b was taken down"]


@pytest.mark.parametrize(("memory", "jobs"), [(0, 1), (10**13, os.cpu_count())])
def test_as_many_labs_run_concurrently_as_cores_and_memory_allow(
    memory: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_available", lambda: memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(os.cpu_count() or 1)))
    assert many.usual_jobs() == jobs
