from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.boot import join


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["alice", "--name", "b"], None),
        (["--name", "office", "alice"], "office"),
        (["--name=office", "alice", "ls"], "office"),
        (["--json", "--name=office", "alice"], "office"),
        (["alice", "ls", "--name=x"], None),
        (["--name"], None),
        ([], None),
    ],
)
def test_the_labs_name_is_found_before_the_nodes(arguments: list[str], name: str | None) -> None:
    assert join.lab_named(arguments) == name


@contextmanager
def lab(base: Path, name: str, descriptors: list[int]) -> Iterator[list[object]]:
    """A control socket that answers each caller once, with these descriptors."""
    (base / name).mkdir(parents=True)
    asked: list[object] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(os.path.relpath(base / name / "control"))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    data = connection.recv(65536)
                    if data:
                        asked.append(json.loads(data))
                        socket.send_fds(connection, [b'{"ok": null}'], descriptors)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_lab_is_asked_for_its_namespaces_and_gives_descriptors(tmp_path: Path) -> None:
    namespaces = Path("/proc/self/ns")
    with (namespaces / "user").open() as user, (namespaces / "mnt").open() as mounts:
        with lab(tmp_path, "office", [user.fileno(), mounts.fileno()]) as asked:
            connection = join._connect(str(tmp_path), "office")
            assert connection
            with connection:
                given = join._ask(connection)
        assert asked == [{"request": "namespaces"}]
        assert [os.fstat(fd).st_ino for fd in given] == [
            os.fstat(user.fileno()).st_ino, os.fstat(mounts.fileno()).st_ino]  # fmt: skip
    for descriptor in given:
        os.close(descriptor)


def test_with_two_labs_and_no_name_none_is_joined(tmp_path: Path) -> None:
    with lab(tmp_path, "a", []) as first, lab(tmp_path, "b", []) as second:
        assert not join.join_lab(str(tmp_path), None)
    assert first == second == []


def test_the_directory_of_labs_is_the_one_with_the_lab_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "3/ended").mkdir(parents=True)
    bases = [str(tmp_path / name) for name in "1234"]
    with lab(tmp_path / "2", "office", []), lab(tmp_path / "4", "home", []):
        for name, chosen in {None: "2", "office": "2", "HOME": "4", "ended": "3", "x": "2"}.items():
            assert join.base_of_labs(iter(bases), name) == str(tmp_path / chosen)
    assert join.base_of_labs(iter(bases)) == bases[0]


def test_a_lab_is_joined_by_its_name_whatever_the_case(tmp_path: Path) -> None:
    with lab(tmp_path, "office", []) as asked, lab(tmp_path, "home", []) as other:
        join.join_lab(str(tmp_path), "OFFICE")
    assert (len(asked), len(other)) == (1, 0)


def test_a_lab_that_answers_without_descriptors_is_left_to_the_verb(tmp_path: Path) -> None:
    with lab(tmp_path, "office", []) as asked:
        assert not join.join_lab(str(tmp_path), "office")
    assert asked == [{"request": "namespaces"}]


def test_a_directory_without_a_living_lab_is_not_joined(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    assert not join.join_lab(str(tmp_path), None)
    assert not join.join_lab(str(tmp_path / "nowhere"), "office")
