"""Becoming root in a user namespace, and the reasons why that may fail."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
import sys
from typing import Callable

from lab.boot.source import HERE, PROGRAM, is_checkout
from lab.boot.syscalls import CLONE_NEWUSER, unshare
from lab.errors import MachineError

# Enough for every Debian system user up to nobody (65534).
WANTED = 65535
WITH_SUDO = f"run it with sudo: sudo {PROGRAM} ..."

_CAPABILITIES = "security.capability"
_EVERYBODY = ["0", "0", "4294967295"]
CONTAINER = (
    "start the container with --privileged, or as root with "
    "--security-opt seccomp=unconfined --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add NET_RAW"
)
# Capabilities for building a lab (capabilities(7)): number and name.
_NEEDED = {12: "NET_ADMIN", 13: "NET_RAW", 21: "SYS_ADMIN"}

_RESTRICTED = "kernel.apparmor_restrict_unprivileged_userns"
_APPARMOR = "/etc/apparmor.d/p2slab"


def _profile() -> str:
    """The command that lets this launcher, and nothing else, make namespaces.

    A profile that confines nothing; what it starts inherits it.
    """
    import json
    import shlex

    program = f"{HERE}/p2slab" if is_checkout(HERE) else os.path.realpath(sys.argv[0])
    profile = f"profile p2slab {json.dumps(program)} flags=(unconfined) {{ userns, }}"
    return (
        f"echo {shlex.quote(f'abi <abi/4.0>, {profile}')} | sudo tee {_APPARMOR} && "
        f"sudo apparmor_parser -r {_APPARMOR}"
    )


# (file in /proc, forbidding value, message, remedy)
_SETTINGS = (
    (
        "sys/user/max_user_namespaces",
        "0",
        "user.max_user_namespaces is 0",
        "sudo sysctl user.max_user_namespaces=10000",
    ),
    (
        "sys/kernel/unprivileged_userns_clone",
        "0",
        "kernel.unprivileged_userns_clone is 0",
        "sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        f"{_RESTRICTED} is 1 (Ubuntu 23.10 and later)",
        f"sudo sysctl -w {_RESTRICTED}=0, or for this program alone: {{profile}}",
    ),
)


def become_root(*, whole_range: bool = True) -> None:
    """Move this process into a user namespace in which it is root; does nothing for root.

    There 0 is the user and 1-65535 are the user's subordinate ids, so files in the home directory
    belong to the user. Without `whole_range` only 0 is mapped, which needs neither newuidmap nor
    subordinate ids. MachineError, with the setting to change, if the machine does not allow it.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return
    if not whole_range:
        _unshare_user()
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        return
    commands = (
        [
            "newuidmap",
            str(os.getpid()),
            "0",
            str(uid),
            "1",
            "1",
            subordinate_ids("uid"),
            str(WANTED),
        ],
        [
            "newgidmap",
            str(os.getpid()),
            "0",
            str(gid),
            "1",
            "1",
            subordinate_ids("gid"),
            str(WANTED),
        ],
    )
    if not (shutil.which("newuidmap") and shutil.which("newgidmap")):
        raise MachineError(
            "this machine lacks newuidmap, which maps ids for labs of ordinary users",
            f"sudo apt-get install uidmap, or {WITH_SUDO}",
        )
    mapped = _mapper(commands)
    _unshare_user()
    mapped()
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def is_machines_root() -> bool:
    """Whether this process is root on the host, not in a user namespace."""
    return os.geteuid() == 0 and "".join(_lines("/proc/self/uid_map")).split() == _EVERYBODY


def can_map_range() -> bool:
    """Whether newuidmap and a range of subordinate ids exist (root needs neither)."""
    if os.geteuid() == 0:
        return True
    try:
        subordinate_ids("uid")
        subordinate_ids("gid")
    except MachineError:
        return False
    return bool(shutil.which("newuidmap") and shutil.which("newgidmap"))


def subordinate_ids(kind: str, *, etc: str = "/etc") -> str:
    """The first id of the user's range in /etc/subuid or /etc/subgid (`kind`: uid or gid).
    MachineError if there is none, or newuidmap cannot map it."""
    powerless = why_powerless(shutil.which(f"new{kind}map") or "")
    if powerless:
        raise MachineError(*powerless)
    number = os.geteuid()
    try:
        account = pwd.getpwuid(number)
        name = account.pw_name
        _refuse_group(account)
    except KeyError:
        name = str(number)
    file = f"{etc}/sub{kind}"
    for line in _lines(file):
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(number)) and count.isdigit() and int(count) >= WANTED:
            return first
    raise MachineError(
        f"{file} has no range of {WANTED} ids for {name}, which an ordinary user's lab needs",
        f"sudo usermod --add-sub{kind}s 1000000-1065535 {name}, or {WITH_SUDO}",
    )


def _refuse_group(account: pwd.struct_passwd) -> None:
    """Raise MachineError in another group than the account's, as in a shell of newgrp: newuidmap
    takes the process for another user's."""
    if os.getegid() == account.pw_gid:
        return
    try:
        group = grp.getgrgid(account.pw_gid).gr_name
    except KeyError:
        group = f"#{account.pw_gid}"
    raise MachineError(
        f"newuidmap maps no ids in group {os.getegid()}, since that of {account.pw_name} is "
        f"{group}",
        f"leave the shell of newgrp or sg, or: sg {group} -c '{PROGRAM} ...'",
    )


def why_powerless(program: str, proc: str = "/proc") -> tuple[str, str] | None:
    """Why newuidmap or newgidmap, at this path, has no rights of root's, and the remedy."""
    if not program:  # it is told elsewhere that it is missing
        return None
    if any(line.split() == ["NoNewPrivs:", "1"] for line in _lines(f"{proc}/self/status")):
        remedy = "start it as root, or without what sets it: a container's no-new-privileges, "
        remedy += "a service's NoNewPrivileges="
        return f"{program} can map no ids: no_new_privs is set", remedy
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        return f"{program} can map no ids: its file system is mounted nosuid", "run it as root"
    if not os.stat(program).st_mode & stat.S_ISUID and _CAPABILITIES not in os.listxattr(program):
        remedy = f"sudo apt-get install --reinstall uidmap, or {WITH_SUDO}"
        return f"{program} can map no ids: it is not setuid, and has no capabilities", remedy
    return None


def require_ids(proc: str = "/proc") -> None:
    """Raise MachineError if root has too few ids for the accounts of a lab's daemons."""
    for kind in ("uid", "gid"):
        there = sum(int(line.split()[2]) for line in _lines(f"{proc}/self/{kind}_map"))
        if there <= WANTED:
            raise MachineError(
                f"this user namespace has {there} {kind}s, and a lab needs {WANTED + 1}",
                f"map a range: /etc/sub{kind} of the container's user, podman's --{kind}map, or "
                "unshare --map-auto",
            )


def why_no_namespace(*, root: bool, proc: str = "/proc") -> tuple[str, str]:
    """Why root, or an ordinary user, cannot create namespaces here, and the remedy."""
    lacking = lacking_capabilities(proc) if root else []
    if lacking:
        return f"this root {lacks(lacking)}", CONTAINER
    settings = () if root else _SETTINGS
    for file, forbidden, meaning, remedy in settings:
        if "".join(_lines(f"{proc}/{file}")).strip() == forbidden:
            return meaning, f"{remedy.format(profile=_profile())}, or {WITH_SUDO}"
    if any(line.split() == ["Seccomp:", "2"] for line in _lines(f"{proc}/self/status")):
        return "a seccomp filter forbids it (Docker's default does)", CONTAINER
    return "the kernel refuses it", CONTAINER if root else WITH_SUDO


def lacking_capabilities(proc: str = "/proc") -> list[str]:
    """The capabilities for a lab that this process lacks, as root in a container may."""
    lines = _lines(f"{proc}/self/status")
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return [name for number, name in _NEEDED.items() if not int(effective, 16) >> number & 1]


def lacks(capabilities: list[str]) -> str:
    """`lacks the capability X`, as text."""
    what = "capability" if len(capabilities) == 1 else "capabilities"
    return f"lacks the {what} {', '.join(capabilities)}"


def hidden(said: OSError) -> MachineError | None:
    """The MachineError if the kernel refuses a user namespace a /proc or /sys of its own."""
    for kind, place in (("proc", "/proc"), ("sysfs", "/sys")):
        if said.errno == errno.EPERM and f"mount {kind} on " in str(said):
            return MachineError(
                f"a lab needs a new {place}, which the kernel refuses where parts of the present "
                "one are hidden or read-only, as in a container",
                "start the container with --privileged, or with --security-opt systempaths="
                "unconfined (podman: unmask=ALL); a service without ProtectKernelTunables= and "
                f"the like; or {WITH_SUDO}",
            )
    return None


def no_namespace(said: OSError) -> MachineError:
    """The MachineError for a refused namespace, with the kernel's message."""
    found = hidden(said)
    if found:
        return found
    meaning, remedy = why_no_namespace(root=os.geteuid() == 0)
    return MachineError(f"no namespaces for a lab: {meaning} ({said.strerror})", remedy)


def _unshare_user() -> None:
    try:
        unshare(CLONE_NEWUSER)
    except OSError as error:
        raise no_namespace(error) from error


def _mapper(commands: tuple[list[str], ...]) -> Callable[[], None]:
    """Fork a helper that stays in the current user namespace; the returned function lets it map
    the ids of our new one."""
    ready, go = os.pipe()
    answer, say = os.pipe()
    helper = os.fork()
    if helper == 0:
        _help(commands, ready, go, say)
    os.close(ready)
    os.close(say)

    def mapped() -> None:
        os.write(go, b".")
        os.close(go)
        said = b"".join(iter(lambda: os.read(answer, 4096), b"")).decode(errors="replace").strip()
        os.close(answer)
        _, status = os.waitpid(helper, 0)
        number = os.WEXITSTATUS(status)
        if number > 1:
            raise OSError(number, os.strerror(number))
        if status:
            raise MachineError(
                f"the user namespace got no ids: {said or 'newuidmap failed'}",
                f"install uidmap, check /etc/subuid and /etc/subgid, or {WITH_SUDO}",
            )

    return mapped


def _help(commands: tuple[list[str], ...], ready: int, go: int, say: int) -> None:
    """Run the helper: wait, run the commands, exit 0 if both succeed; else 1, or the number of the
    system's error that prevented it."""
    status = 1
    try:
        os.close(go)
        if os.read(ready, 1):
            os.dup2(say, 2)
            codes = [os.spawnvp(os.P_WAIT, command[0], command) for command in commands]
            status = int(any(codes))
    except OSError as error:
        status = error.errno or 1
    finally:
        os._exit(status)


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as opened:
            return opened.read().splitlines()
    except OSError:
        return []


def _write(file: str, text: str) -> None:
    try:
        with open(file, "w", encoding="ascii") as opened:
            opened.write(text)
    except OSError as error:
        raise no_namespace(error) from error
