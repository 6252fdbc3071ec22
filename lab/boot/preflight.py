"""Checks of the machine's requirements, before the private root is made."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from typing import Callable, NoReturn, Optional
from urllib.parse import urlsplit

from lab.boot import host_settings, limits
from lab.boot.cache import Cache, free_bytes, full_disk
from lab.boot.enter import refuse_unmerged
from lab.boot.source import PROGRAM
from lab.boot.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)
from lab.boot.users import (
    CONTAINER,
    become_root,
    lacking_capabilities,
    lacks,
    no_namespace,
    require_ids,
    subordinate_ids,
)
from lab.errors import LabError, MachineError

TUN = "/dev/net/tun"
_DEVICES = {"/dev/null": (3, os.R_OK | os.W_OK), "/dev/urandom": (9, os.R_OK)}
"""Devices without which daemons do not start: minor number (major: 1), and what is done to them."""
ARCHITECTURES = ("x86_64",)
NO_ARCHIVES = (
    "look at the network, the proxy (http_proxy) and P2SLAB_MIRROR; without a network "
    f"bring a private root from another machine: {PROGRAM} root import FILE"
)
_DEBIANS = "http://deb.debian.org/debian"
_PATIENCE = 1.0  # seconds; apt waits for slower archives
_IFF_UP = 1
_IFREQ = struct.Struct("16sh14x")
_SIOCSIFFLAGS = 0x8914

Refusal = Optional["tuple[str, str]"]
"""A problem and its remedy."""


def refuse_machine(cache: Cache, needed: int, *, for_lab: bool) -> None:
    """Raise MachineError for the first thing that this machine lacks to make a private root of
    `needed` bytes, and, `for_lab`, to run a lab in it afterwards."""
    _refuse_architecture()
    refuse_unmerged()
    limits.refuse()
    _refuse_without_devices()
    _refuse_place(cache, needed)
    raise_from(attempted(make_namespaces))
    if os.geteuid() == 0:
        require_ids()
    else:
        for kind in ("uid", "gid"):
            subordinate_ids(kind)
    if for_lab:
        require_tun()
    _refuse_without_archives()


def make_namespaces() -> None:
    """Make a lab's namespaces, its mounts and an interface; MachineError.

    Call it in a child process that then ends.
    """
    become_root(whole_range=False)
    require_capabilities()
    try:
        unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        mount("tmpfs", "/run", "tmpfs")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", _IFF_UP))
    except OSError as error:
        raise no_namespace(error) from error
    raise_from(attempted(_mount_file_systems))  # by a process of the new PID namespace


def _mount_file_systems() -> None:
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise no_namespace(error) from error


def require_capabilities() -> None:
    """Raise MachineError if root, here or in a user namespace, lacks capabilities for a lab."""
    lacking = lacking_capabilities()
    if lacking:
        raise MachineError(f"no namespaces for a lab: this root {lacks(lacking)}", CONTAINER)


def require_lab(*, tun: bool) -> None:
    """Raise MachineError for what root, here or in a user namespace, lacks to run a lab."""
    limits.refuse()
    _refuse_without_devices()
    require_capabilities()
    require_ids()
    if tun:
        require_tun()


def require_tun() -> None:
    """Raise MachineError if this user may not create TUN devices."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        there = os.path.exists(TUN)
        remedy = f"sudo chmod 0666 {TUN}" if there else "sudo modprobe tun"
        remedy += f"; in a container: start it with --device {TUN}"
        raise MachineError(f"{TUN} cannot be opened: {error.strerror}", remedy) from error


def attempted(attempt: Callable[[], None]) -> Refusal:
    """The failure of `attempt` in a child process; None if it succeeded."""
    answer, say = os.pipe()
    child = os.fork()
    if child == 0:
        _attempt(attempt, say)
    os.close(say)
    with os.fdopen(answer, encoding="utf-8") as file:
        said = json.loads(file.read() or '["the attempt was killed", ""]')
    os.waitpid(child, 0)
    return None if said is None else (said[0], said[1] or "")


def raise_from(refusal: Refusal) -> None:
    """Raise a MachineError for a refusal, if any."""
    if refusal:
        raise MachineError(*refusal)


def existing(directory: str) -> str:
    """The directory, or its nearest existing ancestor."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory


def _attempt(attempt: Callable[[], None], say: int) -> NoReturn:
    """Run `attempt` in the child, report the result, and end."""
    try:
        try:
            attempt()
            said = None
        except LabError as error:
            said = [error.message, error.remedy]
        except OSError as error:
            said = [error.strerror, ""]
        os.write(say, json.dumps(said).encode())
    finally:
        os._exit(0)


def _refuse_architecture() -> None:
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise MachineError(
            f"this machine is {machine}, and labs run on {', '.join(ARCHITECTURES)} only",
            "another machine, or a virtual one",
        )


def _refuse_without_devices() -> None:
    for name, (minor, mode) in _DEVICES.items():
        there = os.path.exists(name) and os.stat(name).st_rdev == os.makedev(1, minor)
        if not (there and os.access(name, mode)):
            raise MachineError(
                f"{name} {'may not be used' if there else 'is not the device that it should be'}",
                f"sudo rm -f {name} && sudo mknod -m 666 {name} c 1 {minor}; in a container: a new "
                "one, with a /dev of docker's or podman's",
            )


def _refuse_place(cache: Cache, needed: int) -> None:
    place = existing(cache.directory)
    flags = os.statvfs(place).f_flag
    for wrong, said in (
        (flags & os.ST_NOEXEC, "is on a file system that is mounted noexec"),
        (flags & os.ST_RDONLY, "is on a file system that is mounted read-only"),
        (not os.access(place, os.W_OK), f"cannot be written: Permission denied in {place}"),
    ):
        if wrong:
            raise MachineError(
                f"the cache {cache.directory} {said}", "name another directory with P2SLAB_CACHE"
            )
    if free_bytes(place) < needed:
        raise full_disk(place, needed)


def _refuse_without_archives() -> None:
    """Refuse only certain failures: no route, unknown name, connection refused. apt reports those
    behind a proxy."""
    settings = host_settings.apt_options()
    proxy = os.environ.get("http_proxy", "") or next(
        (line.split('"')[1] for line in settings if "Proxy" in line), ""
    )
    url = urlsplit(proxy or os.environ.get("P2SLAB_MIRROR", "") or _DEBIANS)
    if url.scheme not in ("http", "https") or not url.hostname:
        return
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    try:
        socket.create_connection((url.hostname, port), _PATIENCE).close()
    except socket.timeout:
        return
    except OSError as error:
        raise MachineError(
            f"the package archives cannot be reached: {url.hostname}: {error.strerror}", NO_ARCHIVES
        ) from error
