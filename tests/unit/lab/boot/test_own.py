"""Files that another user could write or has planted are refused; root plays the other user."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from lab.boot import cache as caches
from lab.boot import own
from lab.boot.cache import Cache
from lab.boot.make import locked
from lab.errors import MACHINE, MachineError

OTHER = 12345  # not 65534: in a user namespace, so appear those whom it does not know
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "place"
    path.mkdir(mode=0o700)
    return path


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(MachineError) as caught:
        work()
    assert caught.value.code == MACHINE
    assert caught.value.remedy
    return caught.value.message


def bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    return listener


def test_a_directory_of_ours_below_a_sticky_one_is_ours(place: Path) -> None:
    place.parent.chmod(0o1777)
    assert own.why_not(str(place)) == ""


def test_what_others_may_write_is_reported_with_its_mode(place: Path) -> None:
    for mode in (0o777, 0o1777, 0o702):
        place.chmod(mode)
        assert f"others may write in it (mode {mode:o})" in own.why_not(str(place))


def test_a_parent_that_others_may_write_counts(place: Path) -> None:
    place.parent.chmod(0o777)
    assert own.why_not(str(place)) == f"others may write in {place.parent}, which leads there"


@as_root
def test_another_users_directory_or_parent_is_reported_with_the_user(place: Path) -> None:
    inner = place / "inner"
    inner.mkdir()
    os.chown(place, OTHER, OTHER)
    assert f"belongs to user {OTHER}" in own.why_not(str(place))
    assert own.why_not(str(inner)) == f"{place}, which leads there, belongs to user {OTHER}"


@as_root
def test_a_link_of_ours_may_lead_there_and_another_users_may_not(place: Path) -> None:
    link = place.parent / "link"
    link.symlink_to(place)
    assert own.why_not(str(link)) == ""
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    assert f"{link}, which leads there, belongs to user {OTHER}" in own.why_not(str(link))


def test_what_a_link_leads_through_counts(place: Path) -> None:
    through = place / "through"
    (through / "end").mkdir(parents=True)
    link = place.parent / "link"
    link.symlink_to("place/through")
    assert own.why_not(str(link / "end")) == ""
    through.chmod(0o777)
    assert f"others may write in {through}" in own.why_not(str(link / "end"))


def test_link_cycles_and_missing_directories_are_reported(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    assert "Too many levels" in own.why_not(str(place / "a"))
    assert "No such file" in own.why_not(str(place / "c"))


def test_a_users_own_group_may_write_and_another_may_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.chmod(0o770)
    monkeypatch.setattr(own, "_is_own_group", lambda _: True)
    assert own.why_not(str(place)) == ""
    monkeypatch.setattr(own, "_is_own_group", lambda _: False)
    assert "others may write" in own.why_not(str(place))


@pytest.mark.parametrize("kind", ["link", "second name", "fifo", "directory", "socket"])
def test_a_file_that_is_something_else_is_refused_and_stays_as_it_was(
    place: Path, kind: str
) -> None:
    victim, path = place / "victim", place / "log"
    victim.write_text("mine")
    prepared: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(victim),
        "second name": lambda: path.hardlink_to(victim),
        "fifo": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "socket": lambda: bound(path).close(),
    }
    prepared[kind]()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if kind == "directory":
        with pytest.raises(IsADirectoryError):
            own.open_file(str(path), flags)
    else:
        assert "is not used" in refused(lambda: own.open_file(str(path), flags))
    assert victim.read_text() == "mine"


def test_a_file_is_made_for_us_alone(place: Path) -> None:
    os.umask(os.umask(0o022))
    descriptor = own.open_file(str(place / "log"), os.O_WRONLY | os.O_CREAT)
    assert os.fstat(descriptor).st_mode & 0o777 == 0o600
    assert os.get_blocking(descriptor)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@as_root
def test_another_users_file_and_directory_are_refused(place: Path) -> None:
    (place / "file").touch()
    (place / "directory").mkdir()
    for name in ("file", "directory"):
        os.chown(place / name, OTHER, OTHER)
    assert f"user {OTHER}" in refused(lambda: own.open_file(str(place / "file"), os.O_RDONLY))
    assert f"user {OTHER}" in refused(lambda: own.open_directory(str(place / "directory")))


def test_a_link_to_a_directory_is_refused(place: Path) -> None:
    (place / "end").mkdir()
    (place / "link").symlink_to("end")
    assert "it is a link" in refused(lambda: own.open_directory(str(place / "link"), make=True))


def test_a_link_in_place_of_a_socket_is_refused(place: Path) -> None:
    with closing(bound(place / "elsewhere")) as listener:
        listener.listen()
        (place / "control").symlink_to("elsewhere")
        assert "not a socket of yours" in refused(lambda: own.connect(str(place / "control")))
        own.connect(str(place / "elsewhere")).close()


@as_root
def test_a_socket_at_which_another_user_listens_is_refused(place: Path) -> None:
    """The socket is ours, but not the listener (the descriptor was passed on, or stolen)."""
    listener = bound(place / "control")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setresuid(OTHER, OTHER, OTHER)
        listener.listen()
        os.write(writing, b".")
        signal.pause()
    os.read(reading, 1)
    try:
        assert f"user {OTHER} listens" in refused(lambda: own.connect(str(place / "control")))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for descriptor in (reading, writing, listener.detach()):
            os.close(descriptor)


# ------------------------------------------------------------------------------ the cache


def test_a_cache_that_others_may_write_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(place))
    assert Cache.of_this_user().directory == str(place)
    place.chmod(0o777)
    assert "others may write in it" in refused(Cache.of_this_user)


@as_root
def test_another_users_cache_is_refused_wherever_its_name_comes_from(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "p2slab").mkdir()
    os.chown(place / "p2slab", OTHER, OTHER)
    monkeypatch.delenv("P2SLAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    assert f"user {OTHER}" in refused(Cache.of_this_user)
    monkeypatch.setenv("P2SLAB_CACHE", str(place / "p2slab"))
    assert f"user {OTHER}" in refused(Cache.of_this_user)


def test_a_cache_is_made_for_us_alone(place: Path) -> None:
    cache = Cache(str(place / "a" / "b"))
    with locked(cache):
        assert (place / "a" / "b").stat().st_mode & 0o777 == 0o700
        assert (place / "a" / "b" / "root.lock").stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------------------ the run directory


@pytest.fixture
def user(place: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """An ordinary user's cache; the user is the one who runs the test."""

    class NotRoot:
        def __getattr__(self, name: str) -> object:
            return (lambda: 1) if name == "geteuid" else getattr(os, name)

    monkeypatch.setattr(caches, "os", NotRoot())
    return Cache(str(place / "cache"))


def test_a_runtime_directory_of_ours_is_used_and_made_for_us_alone(
    user: Cache, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    assert user.made_run_base() == f"{place}/p2slab"
    assert (place / "p2slab").stat().st_mode & 0o777 == 0o700
    assert capsys.readouterr().err == ""


def test_labs_are_also_looked_for_where_they_are_without_a_session(
    user: Cache, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "_of_processes", list)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    assert list(user.run_bases()) == [f"{place}/p2slab"]
    user.made_run_base(f"{place}/cache/run")
    assert list(user.run_bases()) == [f"{place}/p2slab", f"{place}/cache/run"]
    (place / "cache/run").chmod(0o777)
    assert list(user.run_bases()) == [f"{place}/p2slab"]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert list(user.run_bases()) == [f"{place}/cache/run"]


def test_labs_are_looked_for_where_processes_of_this_user_were_told_to_run_them(
    user: Cache, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("P2SLAB_RUN")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    bases = [place / name for name in ("theirs", "open")]
    for base in bases:
        base.mkdir(mode=0o700)
    bases[1].chmod(0o777)
    with ExitStack() as stack:
        for base in (*bases, bases[0], place / "gone"):
            process = subprocess.Popen(
                ["cat"], env={"P2SLAB_RUN": str(base)}, stdin=subprocess.PIPE
            )
            stack.enter_context(process)
        found = list(user.run_bases())
    assert found.count(str(bases[0])) == 1
    assert not {str(bases[1]), f"{place}/gone"} & set(found)
    assert str(bases[0]) not in user.run_bases()


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_runtime_directory_that_others_may_write_is_passed_over_with_a_line(
    user: Cache,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: int,
) -> None:
    runtime = place / "runtime"
    (runtime / "p2slab/quickstart/log").mkdir(parents=True)
    runtime.chmod(mode)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert user.made_run_base() == f"{place}/cache/run"
    (line,) = capsys.readouterr().err.splitlines()
    assert f"XDG_RUNTIME_DIR ({runtime}) is not used: others may write in it" in line


@pytest.mark.parametrize("prepared", ["0777", "link"])
def test_a_prepared_run_directory_is_refused(
    user: Cache, place: Path, monkeypatch: pytest.MonkeyPatch, prepared: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    elsewhere = place.parent / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    if prepared == "link":
        (place / "p2slab").symlink_to(elsewhere)
    else:
        (place / "p2slab").mkdir()
        (place / "p2slab").chmod(0o777)
    assert "the run directory" in refused(user.made_run_base)


# ------------------------------------------------------------------------------ locks


def test_a_lock_file_is_ours_alone_and_names_its_holder(place: Path) -> None:
    path = place / "lock"
    path.touch(mode=0o644)
    path.chmod(0o644)
    said: list[str] = []
    first = own.lock(str(path), "working", said.append)
    assert first is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert own.lock(str(path), "working", said.append, wait=False) is None
    assert said == []
    waiting: list[int | None] = []
    thread = threading.Thread(
        target=lambda: waiting.append(own.lock(str(path), "working", said.append))
    )
    thread.start()
    while not said:
        thread.join(0.01)
    assert said == [f"p2slab: another p2slab is working (process {os.getpid()}); waiting for it"]
    os.close(first)
    thread.join()
    assert waiting[0] is not None
    os.close(waiting[0])


@as_root
def test_another_user_can_lock_nothing_that_we_wait_for(tmp_path: Path) -> None:
    """The directory of a private root can be read by all, and so be locked by all."""
    tmp_path.chmod(0o755)
    cache = Cache(str(tmp_path))
    tree = Path(cache.tree("aaaa", []))
    tree.mkdir()
    tree.chmod(0o755)
    with locked(cache):
        held = own.lock(cache.in_use(str(tree)), "", lambda _: None, shared=True)
    assert held is not None
    os.close(held)
    script = (
        "import fcntl, os\n"
        "for name in os.listdir('.'):\n"
        "    try:\n"
        "        fcntl.flock(os.open(name, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "        print(name)\n"
        "    except PermissionError: pass\n"
    )
    locked_by_other = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path, user=OTHER, group=OTHER, extra_groups=[], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert locked_by_other.stdout.split() == [tree.name], "which nobody of us locks"
