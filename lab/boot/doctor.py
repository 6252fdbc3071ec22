"""`p2slab doctor`: what this machine can do, and what to install for the rest.

Standard library only, and runs on Python 3.9: it works without a private root. Features are tried
in a child process; settings are read only to explain a failure.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab.boot import limits
from lab.boot.cache import Cache, free_bytes, layers_of, needed_bytes
from lab.boot.enter import replace_root
from lab.boot.layers import closed, root_key
from lab.boot.options import Options
from lab.boot.preflight import TUN, attempted, existing, make_namespaces, require_tun
from lab.boot.source import PROGRAM
from lab.boot.syscalls import CLONE_NEWNET, unshare
from lab.boot.tools import missing_packages
from lab.boot.users import become_root, require_ids, subordinate_ids
from lab.errors import HELD, MACHINE, LabError, MachineError
from lab.kernel.ppp import open_ppp
from lab.kernel.uml import try_boot

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FILES = 16384
"""The limit that a lab's supervisor sets if allowed (lab/runtime/start.py)."""
_NETLINK_NETFILTER = 12
_NFT_GETGEN = (10 << 8) | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_OLDEST_KERNEL = (5, 11)


class Finding(NamedTuple):
    """One line: a feature, whether it is available, its purpose, and a remedy if it is not.

    A lab can run without features that are not `needed`.
    """

    what: str
    ok: bool
    detail: str
    purpose: str
    remedy: str = ""
    needed: bool = True


def run(source: str, arguments: list[str]) -> int:
    """Run `p2slab doctor ARGUMENTS`; exit code 0 if labs can run here, else 3."""
    as_json = _parser().parse_args(arguments).json
    findings = examine(source)
    able = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        who = "root" if os.geteuid() == 0 else "ordinary"
        rows = [finding._asdict() for finding in findings]
        json.dump({"able": able, "user": who, "findings": rows}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(_readable(findings, able=able))
    return HELD if able else MACHINE


def _parser() -> Options:
    parser = Options(
        prog="p2slab doctor",
        description="What this machine can do, and what to install for the rest. "
        "Exit code 0 if labs can run here, else 3.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON on stdout")
    return parser


def examine(source: str) -> list[Finding]:
    """All features that a lab needs or can use."""
    cache = Cache.of_this_user()
    tree = cache.best(root_key(f"{source}/lab/boot"))
    made = bool(tree)
    ids = (
        [_tried("ids", "the accounts that daemons run under", require_ids, "")]
        if os.geteuid() == 0
        else [_subordinate("uid"), _subordinate("gid")]
    )
    making = [] if made else [*_programs(), _room(cache)]
    namespaces = _tried("namespaces", "every node of a lab", make_namespaces, "")
    inside = _inside(tree, made=made)
    if not namespaces.ok:  # the features inside namespaces cannot be tried
        said = "not tried: no namespaces"
        inside = [finding._replace(ok=False, detail=said, remedy="") for finding in inside]
    return [
        _kernel(),
        namespaces,
        *ids,
        *making,
        *inside,
        _tried(TUN, "tunnels of OpenVPN, and of IKEv2 without kernel ESP", require_tun, ""),
        _tried("limits", "a lab's programs (ulimit)", limits.refuse, ""),
        _open_files(),
        *_neighbours(),
    ]


def _inside(tree: str, *, made: bool) -> list[Finding]:
    """The features that can only be tried in namespaces."""
    return [
        _private_root(tree, made=made),
        _tried("nftables", "firewalls and NAT of access networks", _nftables,
               "sudo modprobe nf_tables, or another kernel"),
        _tried("kernel ESP", "IKEv2 tunnels in the kernel", _esp,
               "sudo modprobe esp4; without it IKEv2 runs on strongSwan's kernel-libipsec",
               needed=False),
        *_ppp(tree, made=made and "sstp" in layers_of(tree)),
    ]  # fmt: skip


def _open_files() -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    unlimited = limit == resource.RLIM_INFINITY
    return Finding("open files", unlimited or limit >= MOST_FILES,
                   "no limit" if unlimited else f"{limit} a process (ulimit -Hn)",
                   "labs of many nodes",
                   f"ulimit -Hn {MOST_FILES} as root, or a container's --ulimit nofile="
                   f"{MOST_FILES}:{MOST_FILES}", needed=False)  # fmt: skip


def _neighbours(proc: Path = Path("/proc")) -> list[Finding]:
    """The kernel's neighbour table, shared by all namespaces; visible only in the initial one."""
    try:
        limit = int((proc / "sys/net/ipv4/neigh/default/gc_thresh3").read_text())
        titles, *rows = (proc / "net/stat/arp_cache").read_text().splitlines()
    except OSError:
        return []
    column = titles.split().index("table_fulls")
    overflows = sum(int(row.split()[column], 16) for row in rows)
    said = f", was full {overflows} times since the machine started" if overflows else ""
    return [
        Finding("neighbour table", not overflows, f"{limit} entries for all namespaces{said}",
                "the machine's network and every lab's",
                f"sudo sysctl -w net.ipv4.neigh.default.gc_thresh3={8 * limit}", needed=False)
    ]  # fmt: skip


def _ppp(tree: str, *, made: bool) -> list[Finding]:
    """Where SSTP clients run: on this kernel, else on user-mode Linux, which is then tried."""
    ppp = _tried("PPP", "SSTP clients (sstpc, pppd) on this kernel", open_ppp,
                 "sudo modprobe -a ppp_generic ppp_async; without it an SSTP client's computer "
                 "is user-mode Linux", needed=False)  # fmt: skip
    if ppp.ok or not made:
        return [ppp]

    def boot() -> None:
        become_root()
        replace_root(tree, visible=[])
        try_boot()

    uml = _tried("user-mode Linux", "SSTP clients' computers, since this kernel has no PPP", boot,
                 "is ptrace allowed (kernel.yama.ptrace_scope below 3, no seccomp filter), and may "
                 "files of /dev/shm be executed?", needed=False)  # fmt: skip
    return [ppp, uml]


def _kernel() -> Finding:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    return Finding("kernel", numbers >= _OLDEST_KERNEL, release, "overlays in user namespaces",
                   "Linux 5.11 or later")  # fmt: skip


def _subordinate(kind: str) -> Finding:
    what = f"sub{kind} range"
    purpose = "the accounts that daemons run under"
    try:
        first = subordinate_ids(kind)
    except LabError as error:
        return Finding(what, ok=False, detail=error.message, purpose=purpose,
                       remedy=error.remedy or "")  # fmt: skip
    return Finding(what, ok=True, detail=f"from {first}", purpose=purpose)


def _programs() -> list[Finding]:
    install = "apt-get install" if os.geteuid() == 0 else "sudo apt-get install"
    missing = missing_packages()
    wanted = ["mmdebstrap"] if os.geteuid() == 0 else ["mmdebstrap", "uidmap"]
    wanted += [name for name in missing if name not in wanted]
    return [
        Finding(
            name,
            ok=name not in missing,
            detail="" if name in missing else "installed",
            purpose="making the private root",
            remedy=f"{install} {name} (or let the first verb that needs it do so)",
        )
        for name in wanted
    ]


def _room(cache: Cache) -> Finding:
    directory = existing(cache.directory)
    free, needed = free_bytes(directory), needed_bytes(closed(["core"]))
    return Finding("room in the cache", free >= needed, f"{free / 1e9:.1f} GB at {directory}",
                   f"making the private root ({needed / 1e9:.1f} GB)",
                   "make room, or name another directory with P2SLAB_CACHE")  # fmt: skip


def _private_root(tree: str, *, made: bool) -> Finding:
    purpose = "the lab's programs"
    if not made:
        return Finding("private root", ok=False, detail="not made yet", purpose=purpose,
                       remedy=f"the first verb that needs it makes it, or: {PROGRAM} root make",
                       needed=False)  # fmt: skip

    def enter() -> None:
        become_root()
        replace_root(tree, visible=[])

    found = _tried("private root", purpose, enter, "")
    return found._replace(detail=tree) if found.ok else found


def _nftables() -> None:
    _own_network()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(2)
        # nlmsghdr with NLM_F_REQUEST, then nfgenmsg: the number of the ruleset's generation.
        netlink.send(struct.pack("=IHHII", 20, _NFT_GETGEN, 1, 1, 0) + bytes(4))
        kind, error = struct.unpack_from("=4xH10xi", netlink.recv(4096))
    if kind == 2 and error:  # NLMSG_ERROR
        raise OSError(-error, os.strerror(-error))


def _esp() -> None:
    from gateway.charon.datapath import find

    _own_network()
    datapath = find()
    if datapath.userspace:
        raise MachineError(datapath.why)


def _own_network() -> None:
    become_root(whole_range=False)
    unshare(CLONE_NEWNET)


def _tried(
    what: str, purpose: str, attempt: Callable[[], None], remedy: str, *, needed: bool = True
) -> Finding:
    """The result of `attempt` in a child process; a LabError has its own remedy."""
    refusal = attempted(attempt)
    if refusal is None:
        return Finding(what, ok=True, detail="", purpose=purpose, needed=needed)
    detail, own_remedy = refusal
    return Finding(what, ok=False, detail=detail, purpose=purpose, remedy=own_remedy or remedy,
                   needed=needed)  # fmt: skip


def _readable(findings: list[Finding], *, able: bool) -> str:
    lines = []
    for finding in findings:
        state = "ok" if finding.ok else "missing" if finding.needed else "without"
        detail = f"{finding.detail}; for " if finding.detail else "for "
        lines.append(f"{state:<8} {finding.what:<22} {detail}{finding.purpose}")
        if not finding.ok and finding.remedy:
            lines.append(f"{'':<8} {'':<22} try: {finding.remedy}")
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    lines.append(f"\nlabs {'can' if able else 'cannot'} run here as {who}")
    return "\n".join(lines) + "\n"
