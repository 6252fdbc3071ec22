"""Joining a running lab: a verb that enters a node has to be in the lab's user namespace first.

A user namespace cannot be entered from a sibling, only from the host's, where the launcher still
is; so the launcher asks the lab for its namespaces over the control socket.
"""

from __future__ import annotations

import os
import socket

from lab.boot import own, wire
from lab.boot.syscalls import CLONE_NEWNS, CLONE_NEWUSER, setns

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

    Without a name the lab must be the only running one. The verb reports errors of the name or the
    lab.
    """
    running = running_labs(run_base)
    names = [name] if name else running
    if len(names) != 1 or names[0] not in running:
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


def base_of_labs(run_bases: list[str]) -> str:
    """The first directory in which a lab runs; if none runs, the first."""
    return next((base for base in run_bases if running_labs(base)), run_bases[0])


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
