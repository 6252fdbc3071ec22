"""Run a command as an ordinary user of a fresh machine, from root.

    python -m tests.harness.as_user [OPTIONS] -- ./p2slab verify topologies/quickstart.yaml

    --without-tun       leave /dev/net/tun as the machine has it
    --without-network   in a network namespace with nothing in it
    --small=OPTIONS     a tmpfs with these mount options at the user's ~/small

Works inside root's private root (it goes there by itself when started outside), which has sudo,
mmdebstrap and newuidmap, so nothing is needed on the machine. In mounts of its own it gives the
user an account with subordinate ids and sudo, a home directory that lasts (`as-user-home` in root's
cache), a copy of the checkout that lasts too, and a /dev/net/tun that anyone may open. A user
without a private root imports root's, once. Then it becomes the user and the command, in the same
process: signals, terminal and exit code are the command's own.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

from lab.boot import own
from lab.boot.archive import export_root
from lab.boot.cache import Cache
from lab.boot.layers import root_key
from lab.boot.syscalls import CLONE_NEWNS, MS_PRIVATE, MS_REC, bind, mount, unshare
from lab.boot.users import is_machines_root

NAME = "p2suser"
UID = 54321
HOME = f"/home/{NAME}"
CHECKOUT = f"{HOME}/p2slab"
# Where the launcher leaves the machine's settings for `test` (lab/boot/main.py).
SETTINGS = "/run/host-settings"

_CLONE_NEWNET = 0x40000000
_ACCOUNT = {
    "passwd": f"{NAME}:x:{UID}:{UID}::{HOME}:/bin/bash\n",
    "shadow": f"{NAME}:*:20000::::::\n",
    "group": f"{NAME}:x:{UID}:\n",
    "subuid": f"{NAME}:600000:65536\n",
    "subgid": f"{NAME}:600000:65536\n",
}
_NOT_COPIED = {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}


def main(arguments: list[str]) -> None:
    """Become the user and the command after `--`."""
    options, command = _split(arguments)
    if not command:
        sys.exit(__doc__)
    if not possible():
        sys.exit("as_user: only root can play another user")
    if not os.path.exists(SETTINGS):
        _enter_private_root(arguments)
    env = _settings()
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mask = os.umask(0o022)  # what the machine has, whatever that of the caller is
    _private_etc()
    _fresh_run()
    _home(env)
    for option in options:
        if option.startswith("--small="):
            _small_disk(option[len("--small=") :])
    if "--without-tun" not in options:
        _open_tun()
    if "--without-network" in options:
        unshare(_CLONE_NEWNET)
    _become()
    os.umask(mask)
    os.chdir(CHECKOUT)
    os.execvpe(command[0], command, env)


def argv(*command: str, options: tuple[str, ...] = ()) -> list[str]:
    """The argument list with which a test starts `command` as the user (from the checkout)."""
    return [sys.executable, "-m", "tests.harness.as_user", *options, "--", *command]


def run(
    *command: str, options: tuple[str, ...] = (), limit: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """What became of a command that the user starts in the checkout; `limit` is in seconds."""
    return subprocess.run(
        argv(*command, options=options),
        capture_output=True,
        text=True,
        cwd=os.environ["P2SLAB_SOURCE"],
        stdin=subprocess.DEVNULL,
        timeout=limit,
        check=False,
    )


def possible() -> bool:
    """Whether this process may play another user: it is root, and of the machine, not of a user."""
    return is_machines_root()


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _enter_private_root(arguments: list[str]) -> None:
    from lab.boot.main import enter_module

    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    enter_module(checkout, "tests.harness.as_user", arguments)


def _settings() -> dict[str, str]:
    """The user's environment: a login's, and what reaches the package archives."""
    with open(f"{SETTINGS}/env.json", encoding="utf-8") as file:
        carried = json.load(file)
    kept = {name: os.environ[name] for name in ("TERM", "CI") if name in os.environ}
    return {
        **carried,
        **kept,
        "HOME": HOME,
        "USER": NAME,
        "LOGNAME": NAME,
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "XDG_RUNTIME_DIR": f"/run/user/{UID}",
    }


def _private_etc() -> None:
    """A copy of /etc with the account in it and the machine's settings for archives."""
    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755")
    shutil.copytree("/etc", "/mnt/etc", symlinks=True)
    for name, line in _ACCOUNT.items():
        with open(f"/mnt/etc/{name}", "a", encoding="utf-8") as file:
            file.write(line)
    with open("/mnt/etc/sudoers.d/p2suser", "w", encoding="utf-8") as file:
        file.write(f"{NAME} ALL=(ALL) NOPASSWD: ALL\n")
    os.chmod("/mnt/etc/sudoers.d/p2suser", 0o440)
    if os.path.isdir(f"{SETTINGS}/etc"):
        shutil.copytree(f"{SETTINGS}/etc", "/mnt/etc", dirs_exist_ok=True)
    bind("/mnt/etc", "/etc")


def _fresh_run() -> None:
    mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    runtime = f"/run/user/{UID}"
    os.makedirs(runtime)
    os.chmod(runtime, 0o700)
    os.chown(runtime, UID, UID)
    os.mkdir("/run/sudo", 0o711)


def _home(env: dict[str, str]) -> None:
    """The home that lasts, and in it the copy of this checkout, brought up to date."""
    cache, source = os.environ["P2SLAB_CACHE"], os.environ["P2SLAB_SOURCE"]
    lasting, copy = f"{cache}/as-user-home", f"{cache}/as-user-checkouts{source}"
    for directory in (f"{lasting}/p2slab", copy):
        os.makedirs(directory, mode=0o755, exist_ok=True)
    lock = own.lock(f"{lasting}.lock", "bringing the user's home up to date", lambda _: None)
    assert lock is not None
    _bring_up_to_date(source, copy)
    pip = os.path.join(os.environ.get("HOME", "/root"), ".config/pip/pip.conf")
    if os.path.exists(pip):
        os.makedirs(f"{lasting}/.config/pip", exist_ok=True)
        shutil.copy(pip, f"{lasting}/.config/pip/pip.conf")
        _give(f"{lasting}/.config")
    os.chown(lasting, UID, UID)
    mount("tmpfs", "/home", "tmpfs", 0, "mode=755")
    os.mkdir(HOME)
    bind(lasting, HOME)
    bind(copy, CHECKOUT)
    _private_root(Cache(cache), Cache(f"{HOME}/.cache/p2slab"), env)
    os.close(lock)


def _private_root(roots: Cache, users: Cache, env: dict[str, str]) -> None:
    """Root's, as another machine's: to make one takes the processor minutes, and is tried by
    tests/e2e/test_from_nothing.py."""
    key, file = root_key(), f"{HOME}/root.tar"
    if users.best(key) or not roots.best(key):
        return
    export_root(roots, key, file)
    os.chown(file, UID, UID)
    command = [f"{CHECKOUT}/p2slab", "root", "import", file]
    subprocess.run(command, env=env, cwd=HOME, user=UID, group=UID, extra_groups=[], check=True)
    os.unlink(file)


def _bring_up_to_date(source: str, target: str) -> None:
    """Copy what differs, remove what is gone, make it all the user's."""
    os.chown(target, UID, UID)
    wanted = {entry.name: entry for entry in os.scandir(source) if entry.name not in _NOT_COPIED}
    for entry in list(os.scandir(target)):
        if entry.name not in wanted and entry.name not in _NOT_COPIED:
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
    for name, entry in wanted.items():
        copy = os.path.join(target, name)
        if entry.is_dir(follow_symlinks=False):
            os.makedirs(copy, exist_ok=True)
            _bring_up_to_date(entry.path, copy)
        elif entry.is_file(follow_symlinks=False) and _differs(entry, copy):
            shutil.copy2(entry.path, copy)
            os.chown(copy, UID, UID)


def _differs(entry: os.DirEntry[str], copy: str) -> bool:
    if not os.path.exists(copy):
        return True
    ours, theirs = entry.stat(), os.stat(copy)
    return (ours.st_size, int(ours.st_mtime)) != (theirs.st_size, int(theirs.st_mtime))


def _give(directory: str) -> None:
    for where, _, files in os.walk(directory):
        os.chown(where, UID, UID)
        for name in files:
            os.chown(os.path.join(where, name), UID, UID)


def _small_disk(options: str) -> None:
    os.mkdir("/mnt/small")
    mount("tmpfs", "/mnt/small", "tmpfs", 0, f"mode=700,{options}")
    os.chown("/mnt/small", UID, UID)
    os.makedirs(f"{HOME}/small", exist_ok=True)
    bind("/mnt/small", f"{HOME}/small")


def _open_tun() -> None:
    """A /dev/net/tun that anyone may open, as distributions have it; not the machine's own."""
    os.mknod("/mnt/tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
    os.chmod("/mnt/tun", 0o666)
    bind("/mnt/tun", "/dev/net/tun")


def _become() -> None:
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)


if __name__ == "__main__":
    main(sys.argv[1:])
