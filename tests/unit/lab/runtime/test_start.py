"""What can go wrong while a lab starts: one message, the right kind, nothing left."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.common import calls
from lab.errors import LabError, MachineError
from lab.kernel.processes import chosen
from lab.runtime.directory import BASE, RunDirectory
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body, Failed, Ready
from lab.runtime.start import start
from lab.waiting import wait_until
from tests.rigs.isolated import isolated
from tests.rigs.small_lab import SmallLab

READ_ONLY = calls.MS_RDONLY


def on(test: object, *options: str, flags: int = 0) -> None:
    """Run it with a run directory of its own."""

    def there() -> None:
        BASE.mkdir(parents=True, exist_ok=True)
        calls.mount("labs", str(BASE), "tmpfs", flags, ",".join(("mode=700", *options)))
        assert callable(test)
        test()
        asyncio.run(wait_until("nothing is left", 30, alone))

    isolated(there)


def alone() -> bool:
    """Nothing lives in the test's own PID namespace but its first process."""
    if left := chosen(lambda pid: pid != 1 and b"State:\tZ" not in status(pid)):
        raise LookupError([Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left])
    return True


def status(pid: int) -> bytes:
    return Path(f"/proc/{pid}/status").read_bytes()


def last_word(lab: Handle) -> Ready | Failed:
    return next(event for event in lab.watch() if isinstance(event, Ready | Failed))


def test_a_lab_starts_answers_and_ends() -> None:
    def test() -> None:
        lab = start("small", SmallLab)
        assert isinstance(last_word(lab), Ready)
        assert lab.status()["state"] == "ready"
        assert lab.operate("gw", "get", {"x": "y" * 100_000})["value"][2]["x"] == "y" * 100_000
        lab.down()
        assert list(BASE.iterdir()) == []
        with pytest.raises(LabError, match="small is not running"):
            lab.status()

    on(test)


def test_a_read_only_run_directory_is_the_machine_s_lack() -> None:
    def test() -> None:
        with pytest.raises(MachineError, match=r"the run directory .*Read-only") as no:
            start("small", SmallLab)
        assert "XDG_RUNTIME_DIR" in str(no.value)

    on(test, flags=READ_ONLY)


@pytest.mark.parametrize("inodes", [1, 2, 3, 4, 5])
def test_a_run_directory_that_fills_up_at_any_step_is_reported(inodes: int) -> None:
    """The directory takes that many files; the lab's are directory, log, lock, control, log."""

    def test() -> None:
        with pytest.raises(MachineError, match="No space left on device") as full:
            start("small", SmallLab)
        assert full.value.remedy
        assert "space" in full.value.remedy

    on(test, f"nr_inodes={inodes}")


def test_a_log_prepared_as_a_link_is_removed_and_the_victims_file_stays(tmp_path: Path) -> None:
    """The audit's proof: what the supervisor says went into a file of the victim's."""
    victim = tmp_path / "victim"
    victim.write_text("mine")

    def deadly(_: Path) -> Body:
        print("what the supervisor says", flush=True)
        raise LabError("no body")

    def test() -> None:
        logs = BASE / "small/log"
        logs.mkdir(parents=True)
        (logs / "supervisor.log").symlink_to(victim)
        with pytest.raises(LabError, match="no body"):
            start("small", deadly)
        assert (logs / "supervisor.log").read_text() == "what the supervisor says\n"

    on(test)
    assert victim.read_text() == "mine"


def test_a_disk_that_is_full_when_daemons_start_is_reported() -> None:
    def test() -> None:
        lab = start("small", SmallLab)
        word = last_word(lab)
        assert isinstance(word, Failed)
        assert "No space left on device" in word.message
        assert word.code == 3
        assert lab.status()["state"] == "failed"
        lab.down()

    on(test, "nr_inodes=7")


def test_a_body_that_cannot_be_made_is_reported_by_the_start() -> None:
    def test() -> None:
        def broken(_: Path) -> Body:
            raise LabError("nothing to build", "a topology")

        with pytest.raises(LabError, match="nothing to build"):
            start("small", broken)

    on(test)


def test_a_supervisor_that_dies_at_once_is_reported() -> None:
    def test() -> None:
        def deadly(_: Path) -> Body:
            os.kill(os.getpid(), 9)
            raise AssertionError

        with pytest.raises(LabError, match="died while starting") as died:
            start("small", deadly)
        # the kernel lets go of a dead process's lock a moment after its socket
        lab = RunDirectory("small")
        asyncio.run(wait_until("the lab is dead", 30, lambda: not lab.is_alive()))
        assert "supervisor.log" in str(died.value)

    on(test)


def test_a_build_failure_is_reported_with_remedy_and_code() -> None:
    def test() -> None:
        lab = start("small", lambda logs: SmallLab(logs, fails=True))
        assert last_word(lab) == Failed(
            message="the middle of the building", remedy="nothing, it is a test", code=4
        )
        with pytest.raises(LabError, match="is failed, not ready"):
            lab.run([], lambda _: None)
        lab.down(keep_logs=True)
        assert (BASE / "small/log/router/iperf3.log").exists()

    on(test)


def test_one_process_may_have_several_labs_and_each_ends_alone() -> None:
    def test() -> None:
        labs = [start(name, SmallLab) for name in ("one", "two")]
        for lab in labs:
            assert isinstance(last_word(lab), Ready)
        labs[0].down()
        assert labs[1].exec("pc1", ["ping", "-c1", "-W2", "10.0.0.1"]).code == 0
        labs[1].down()

    on(test)
