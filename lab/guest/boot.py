"""PID 1 of a user-mode Linux node: mounts, modules, network; then the agent, and reaping.

The root file system is the place node's root, read-only, through hostfs. The configuration is in
CONFIGURATION, which the node's own /run then hides.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
import time

from gateway.common import calls
from lab.guest.agent import serve
from lab.guest.modules import load_modules
from lab.kernel import sysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIGURATION = "/run/boot.json"
STAGE = "/mnt"
"""The overlays' upper layers, unmounted afterwards."""
MODPROBE = "/etc/p2slab/modprobe"
MODPROBE_SCRIPT = """#!/bin/sh
# A composed algorithm, crypto-gcm(aes), is not a module, and modprobe is slow to find that out.
case "$*" in *"("*) exit 1;; esac
exec /usr/sbin/modprobe -d {} "$@"
"""
MODULES = "/usr/lib/uml/modules"
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS = 0x8916, 0x891C, 0x8914
IFF_UP = 1
RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK, IFLA_NET_NS_FD = 16, 1, 4, 28
INDEX_AT = 20
"""The offset of the link's index: after struct nlmsghdr, in ifinfomsg, ifaddrmsg and tcmsg."""
CONNECT_LIMIT = 10.0


def boot() -> None:
    """Boot; never returns. When this process ends, the kernel panics, which ends the node."""
    _mount_kernel()
    with open(CONFIGURATION, "rb") as file:  # noqa: PTH123 (pathlib costs 40 ms here)
        configuration = json.load(file)
    if configuration["clock"]:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + configuration["clock"])
    load_modules(MODULES, ["overlay"])
    _mount_own(configuration["host"])
    calls.set_host_name(configuration["name"])
    _allow_modprobe()
    load_modules(MODULES, configuration["modules"])
    _configure_network(configuration)
    sys.path += configuration["path"]
    os.environ.update(configuration["environment"])
    agent = os.fork()
    if agent == 0:
        _become_agent(configuration)
    while True:
        pid, _ = os.wait()
        if pid == agent:
            sys.exit("the agent has ended")


def _mount_kernel() -> None:
    quiet = calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("proc", "/proc", "proc", quiet)
    calls.mount("sysfs", "/sys", "sysfs", quiet)
    for name in ("pts", "shm"):
        os.mkdir(f"/dev/{name}")  # noqa: PTH102 (as above, here and below)
    calls.mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666")
    calls.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")  # noqa: S108 (the node's own)


def _mount_own(host: str) -> None:
    """Mount the node's writable files: overlays on /etc and /var, and an empty /run and /tmp.

    `host`, below /var, shows files of the host, such as a checkout: it is bind-mounted over the
    overlay, read-only.
    """
    shown = os.open(host, os.O_PATH | os.O_CLOEXEC) if os.path.isdir(host) else None  # noqa: PTH112
    calls.mount("tmpfs", STAGE, "tmpfs", 0, "mode=755")
    for name in ("etc", "var"):
        upper, work = f"{STAGE}/{name}", f"{STAGE}/{name}.work"
        os.mkdir(upper)  # noqa: PTH102
        os.mkdir(work)  # noqa: PTH102
        options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
        calls.mount("overlay", f"/{name}", "overlay", 0, options)
    if shown is not None:
        calls.bind_read_only(f"/proc/self/fd/{shown}", host)
        os.close(shown)
    calls.unmount(STAGE)
    calls.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    calls.mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777")  # noqa: S108


def _allow_modprobe() -> None:
    """Let the kernel load modules on demand, from a directory that is not its default."""
    directory = os.path.dirname(MODPROBE)  # noqa: PTH120
    os.makedirs(f"{directory}/lib")  # noqa: PTH103
    os.symlink(MODULES, f"{directory}/lib/modules")  # noqa: PTH211
    with open(MODPROBE, "w") as file:  # noqa: PTH123
        file.write(MODPROBE_SCRIPT.format(directory))
    os.chmod(MODPROBE, 0o755)  # noqa: PTH101, S103 (the kernel starts it)
    with open("/proc/sys/kernel/modprobe", "w") as file:  # noqa: PTH123
        file.write(MODPROBE)


def _configure_network(configuration: dict[str, Any]) -> None:
    """Send encoded netlink requests: [text, hex, link].

    `link` is a link's name, for the index that only this kernel knows.
    """
    sysctls.write(configuration["sysctls"])
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        for text, encoded, link in configuration["network"]:
            message = bytearray.fromhex(encoded)
            if link:
                struct.pack_into("=I", message, INDEX_AT, socket.if_nametoindex(link))
            struct.pack_into("=HI", message, 6, NLM_F_ACK | _flags(message), 1)
            _ask(kernel, bytes(message), text)


def _flags(message: bytearray) -> int:
    flags: int = struct.unpack_from("=H", message, 6)[0]
    return flags


def _ask(kernel: socket.socket, message: bytes, text: str) -> None:
    kernel.send(message)
    code = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    if code:
        raise OSError(code, os.strerror(code), text)


def _become_agent(configuration: dict[str, Any]) -> None:
    """Become the agent. Its link is in a separate network namespace, invisible to programs."""
    line = configuration["agent"]
    home, there = _other_network(line["link"])
    calls.setns(there, calls.NEWNET)
    _address(line["link"], line["address"], line["mask"])
    listener = socket.create_server((line["address"], line["port"]), backlog=64)
    supervisor = socket.create_connection((line["supervisor"], line["port"]), timeout=CONNECT_LIMIT)
    calls.setns(home, calls.NEWNET)
    os.close(home)
    os.close(there)
    os.setsid()
    supervisor.settimeout(None)
    supervisor.sendall(os.uname().release.encode() + b"\n")
    serve(listener)


def _other_network(link: str) -> tuple[int, int]:
    """This network namespace, and a new one with `link` in it."""
    home = _network()
    index = socket.if_nametoindex(link)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        calls.unshare(calls.NEWNET)
        there = _network()
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0)
        body += struct.pack("=HHi", 8, IFLA_NET_NS_FD, there)
        head = struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
        _ask(kernel, head + body, f"link set {link} netns")
    return home, there


def _network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _address(link: str, address: str, mask: str) -> None:
    """Configure a link by ioctl (netdevice(7)), which needs no imports."""
    name = link.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        for order, text in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, mask)):
            internet = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
            fcntl.ioctl(kernel, order, struct.pack("=16s16s8x", name, internet))
        fcntl.ioctl(kernel, SIOCSIFFLAGS, struct.pack("=16sH22x", name, IFF_UP))
