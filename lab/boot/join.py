"""Joining a running lab: a verb that enters a node has to be in the lab's user namespace first.

A user namespace cannot be entered from a sibling, only from the host's, where the launcher still
is; so the launcher asks the lab for its namespaces over the control socket.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from lab.boot import own, wire
from lab.boot.syscalls import CLONE_NEWNS, CLONE_NEWUSER, setns

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 5.0  # seconds for the lab to answer
_KINDS = (CLONE_NEWUSER, CLONE_NEWNS)


def lab_named(arguments: list[str]) -> str | None:
    """The value of --name among a verb's own arguments (those before the node's name)."""
    for at, word in enumerate(arguments):
        if word == "--name":
            return arguments[at + 1] if at + 1 < len(arguments) else None
        if word.startswith("--name="):
            return word[len("--name=") :]
        if not word.startswith("-"):
            return None
    return None


def join_lab(run_base: str, name: str | None) -> bool:
    """Move this process into the namespaces of a running lab; False if there is none to join.

    Without a name the lab must be the only running one. The case of a name counts where two labs
    differ in nothing else. The verb reports errors of the name or the lab.
    """
    running = running_labs(run_base)
    alike = [lab for lab in running if name is None or lab.casefold() == name.casefold()]
    names = [lab for lab in alike if lab == name] or alike
    if len(names) != 1:
        return False
    connection = _connect(run_base, names[0])
    if not connection:
        return False
    with connection:
        descriptors = _ask(connection)
    try:
        if len(descriptors) != len(_KINDS):
            return False
        for descriptor, kind in zip(descriptors, _KINDS):
            _join(descriptor, kind)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return True


def asked(run_base: str, lab: str, request: str) -> dict[str, list[str]]:
    """A lab's answer to a request without arguments; OSError, EOFError, ValueError: there is
    none."""
    connection = _connect(run_base, lab)
    if not connection:
        raise OSError(f"lab {lab} is not running")
    with connection:
        wire.send(connection, {"request": request})
        answer: dict[str, list[str]] = wire.receive(connection)[0].get("ok") or {}
    return answer


def running_labs(run_base: str) -> list[str]:
    """The names of this user's labs that listen on their control sockets."""
    running = []
    for name in _directories(run_base):
        connection = _connect(run_base, name)
        if connection:
            connection.close()
            running.append(name)
    return running


def base_of_labs(run_bases: Iterable[str], name: str | None = None) -> str:
    """The first directory in which the lab of that name runs, case aside, or has left its logs;
    without a name, or if there is none, the first in which any lab runs, or the very first."""
    found: list[tuple[str, list[str]]] = []
    for base in run_bases:
        labs = running_labs(base)
        if labs if name is None else name.casefold() in map(str.casefold, labs):
            return base
        found.append((base, labs))
    ended = [base for base, _ in found if name and os.path.isdir(os.path.join(base, name))]
    return [*ended, *(base for base, labs in found if labs), found[0][0]][0]


def _join(descriptor: int, kind: int) -> None:
    # Root's labs use the host's user namespace, and the kernel refuses to enter the current one.
    ours = os.stat("/proc/self/ns/user")
    theirs = os.fstat(descriptor)
    if (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino):
        setns(descriptor, kind)


def _directories(run_base: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(run_base))
    except FileNotFoundError:
        return []


def _connect(run_base: str, lab: str) -> socket.socket | None:
    """Connect; None if no process listens, MachineError if the socket is not ours."""
    try:
        directory = own.open_directory(os.path.join(run_base, lab))
        try:
            # A socket's path has at most 107 bytes; through the descriptor it is short.
            short = f"/proc/self/fd/{directory}/control"
            connection = own.connect("control", within=directory, shown=short)
        finally:
            os.close(directory)
    except OSError:
        return None
    connection.settimeout(_LIMIT)
    return connection


def _ask(connection: socket.socket) -> list[int]:
    """The descriptors of the lab's user and mount namespaces; empty if it sends none."""
    try:
        wire.send(connection, {"request": "namespaces"})
        return wire.receive(connection)[1]
    except (OSError, EOFError):
        return []
