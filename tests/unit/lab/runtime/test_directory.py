from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from lab.errors import MachineError, UsageError
from lab.nodes.namespace import open_log
from lab.runtime import directory
from lab.runtime.directory import RunDirectory, running


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "BASE", tmp_path / "labs")
    monkeypatch.delenv("P2SLAB_RUN", raising=False)


@pytest.mark.parametrize("name", ["office", "a", "7", "lab-1_x.y", "a" * 84])
def test_ordinary_names_are_taken(name: str) -> None:
    assert RunDirectory(name).path.name == name


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a/b", "../x", "a b", "ä", "a\n", "a" * 85])
def test_names_that_could_leave_the_directory_or_a_terminal_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a lab's name"):
        RunDirectory(name)


def test_a_lab_is_alive_while_its_lock_is_held() -> None:
    lab = RunDirectory("office")
    assert not lab.is_alive()
    lock = lab.take()
    assert lab.is_alive()
    assert [found.name for found in running()] == ["office"]
    os.close(lock)
    assert not lab.is_alive()
    assert running() == []


def test_a_file_that_lies_there_is_no_lab(tmp_path: Path) -> None:
    lock = RunDirectory("office").take()
    (tmp_path / "labs/notes").write_text("mine")
    assert [found.name for found in running()] == ["office"]
    os.close(lock)


def test_asking_whether_it_is_alive_does_not_keep_another_from_taking_it() -> None:
    lab = RunDirectory("office")
    os.close(lab.take())
    assert not lab.is_alive()
    os.close(lab.take())


def test_a_taken_name_is_refused_with_what_to_do() -> None:
    lock = RunDirectory("office").take()
    with pytest.raises(UsageError) as refused:
        RunDirectory("office").take()
    assert refused.value.message == "lab office is already up"
    assert "--name" in str(refused.value)
    os.close(lock)


def test_a_child_that_has_the_lock_keeps_the_lab_alive() -> None:
    lab = RunDirectory("office")
    lock = lab.take()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(lock)
    assert lab.is_alive()
    os.close(writing)
    os.waitpid(child, 0)
    assert not lab.is_alive()
    os.close(reading)


def test_removing_leaves_a_lab_that_lives() -> None:
    lab = RunDirectory("office")
    lock = lab.take()
    lab.remove()
    assert lab.path.exists()
    os.close(lock)
    lab.remove()
    assert not lab.path.exists()


def test_an_old_control_socket_is_no_obstacle() -> None:
    lab = RunDirectory("office")
    lock = lab.take()
    lab.bind().close()
    with pytest.raises(ConnectionRefusedError):
        lab.connect()
    with lab.bind() as listener:
        listener.listen()
        lab.connect().close()
    assert (lab.path / "control").stat().st_mode & 0o777 == 0o600
    os.close(lock)


def test_a_directory_that_cannot_be_made_is_the_machine_s_lack(tmp_path: Path) -> None:
    (tmp_path / "labs").write_text("a file in the way")
    with pytest.raises(MachineError, match=r"cannot use the run directory .*: Not a dir"):
        RunDirectory("office").take()


@pytest.mark.parametrize("name", ["", "log", "lock"])
def test_a_link_prepared_in_place_of_a_part_is_refused(tmp_path: Path, name: str) -> None:
    lab = RunDirectory("office")
    os.close(lab.take())
    victim = tmp_path / "victim"
    part = lab.path / name
    part.rename(victim)
    part.symlink_to(victim)
    for use in (lab.take, lab.is_alive) if name != "log" else (lab.take,):
        with pytest.raises(MachineError, match="is not used: it is a link") as refused:
            use()
        assert refused.value.code == 3
        assert refused.value.remedy


def test_a_link_prepared_in_place_of_the_control_socket_is_refused(tmp_path: Path) -> None:
    lab = RunDirectory("office")
    lock = lab.take()
    elsewhere = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    elsewhere.bind(str(tmp_path / "elsewhere"))
    elsewhere.listen()
    (lab.path / "control").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match="not a socket of yours"):
        lab.connect()
    with lab.bind() as listener:  # who has the lock puts its own there
        listener.listen()
        lab.connect().close()
    elsewhere.close()
    os.close(lock)


def test_a_base_in_which_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs").chmod(0o777)
    with pytest.raises(MachineError, match="others may write in it"):
        RunDirectory("office").take()


@pytest.mark.parametrize("place", ["supervisor.log", "gw/gateway.log"])
def test_a_link_prepared_in_place_of_a_log_is_refused_and_the_victims_file_stays(
    tmp_path: Path, place: str
) -> None:
    lab = RunDirectory("office")
    os.close(lab.take())
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (lab.logs / place).parent.mkdir(exist_ok=True)
    (lab.logs / place).symlink_to(victim)
    with pytest.raises(MachineError, match=f"{place} is not used: it is a link"):
        open_log((lab.logs / place).parent, Path(place).stem)
    assert victim.read_text() == "mine"


DAY = 24 * 3600.0


def ended(name: str, days: float) -> Path:
    """What a lab that began so many days ago has left."""
    lab = RunDirectory(name)
    os.close(lab.take())
    (lab.logs / "supervisor.log").write_text("what happened")
    began = time.time() - days * DAY
    os.utime(lab.path, (began, began))
    return lab.path


def test_of_ended_labs_the_newest_are_kept_for_a_week(tmp_path: Path) -> None:
    old, week = ended("old", 8), ended("week", 6)
    directory.forget_old()
    assert (old.exists(), week.exists()) == (False, True)
    running = RunDirectory("running").take()  # and is none of them
    kept = [ended(f"lab-{number:02}", number / 10) for number in range(20)]
    surplus = ended("surplus", 3)
    directory.forget_old()
    assert not week.exists()
    assert not surplus.exists()
    assert all(path.exists() for path in kept)
    os.close(running)


def test_what_is_no_ended_lab_is_not_swept(tmp_path: Path) -> None:
    running = RunDirectory("running")
    lock = running.take()
    somebodys, strange = ended("notes", 9), tmp_path / "labs/strange"
    (somebodys / "log.txt").touch()
    strange.mkdir()
    open_to_others = ended("open", 9)
    open_to_others.chmod(0o777)
    elsewhere = ended("elsewhere", 9).rename(tmp_path / "elsewhere")
    (tmp_path / "labs/elsewhere").symlink_to(elsewhere)
    (tmp_path / "labs/file").touch()
    for path in (running.path, strange, somebodys):
        os.utime(path, (0, 0))
    directory.forget_old()
    for path in (running.path, somebodys, strange, open_to_others, elsewhere):
        assert path.exists(), path
    assert (tmp_path / "labs/elsewhere").is_symlink()
    os.close(lock)


def test_logs_that_somebody_removes_meanwhile_stop_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two labs start at once: both look how much is kept, and one has removed it."""
    nodes = ended("old", 1) / "log" / "gw"
    nodes.mkdir(parents=True)
    scandir = os.scandir

    def and_then_it_is_gone(path: object) -> object:
        found = scandir(path)  # type: ignore[call-overload]
        if str(path) == str(nodes.parent):
            shutil.rmtree(nodes)
        return found

    monkeypatch.setattr(os, "scandir", and_then_it_is_gone)
    directory.forget_old()
    assert not nodes.exists()
