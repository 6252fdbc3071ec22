"""An Active Directory domain: Samba on its controller, winbindd on its members.

A new domain takes some four seconds, so what came of it is kept: $P2SLAB_CACHE/directory/KEY.tar.gz
has the state of controller and members together (they share the machine passwords), by what the
domain is made of. From there the first login is possible within a second.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.common import calls
from lab.errors import LabError, UsageError
from lab.nodes.base import Completed, Node, Process
from lab.roles.daemon import last_words
from lab.roles.kept_domain import archive_of, keep, restore
from lab.waiting import wait_until
from radius.directory import (
    CONTROLLER,
    PORTS,
    PROVISION,
    Domain,
    controller_conf,
    hosts,
    kerberos_conf,
    member_conf,
    provisioning,
)

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import DirectorySpec

STATE = "domain"
"""Below a node's /run, by NetBIOS name: what Samba takes for its places in /etc and /var."""
JOINED = "joined"
"""Below it: there when the node is a member of a domain that serves. While a domain is made,
winbindd comes and goes."""
PLACES = {
    "etc": "/etc/samba",
    "lib": "/var/lib/samba",
    "cache": "/var/cache/samba",
    "log": "/var/log/samba",
    "tmp": "/var/tmp",  # noqa: S108 (the node's own; a ticket of another computer would be used)
}
KERBEROS = {"KRB5_CONFIG": "/run/krb5.conf"}
SAMBA = "/usr/sbin/samba"
START_LIMIT = 60.0
LOGIN_LIMIT = 60.0
"""Seconds; a second or two are usual, on a machine that does nothing else."""


@dataclass(frozen=True)
class Computer:
    """A computer of the domain."""

    name: str
    """Its NetBIOS name."""
    node: Node
    address: str


class DomainController:
    """The controller as its administrator holds it; also the running program."""

    pid: int
    log: Path

    def __init__(self, controller: Computer, members: Sequence[Computer]) -> None:
        self._controller = controller
        self._members = members
        self._winbinds: list[Process] = []

    async def begin(self) -> None:
        """Start; every member has its domain when this returns."""
        self._samba = await _start_controller(self._controller)
        self.pid, self.log = self._samba.pid, self._samba.log
        if not self._winbinds:
            self._winbinds = [await _start_winbind(member) for member in self._members]
        for member, process in zip(self._members, self._winbinds, strict=True):
            await _until_joined(member, process)
            await member.node.write(f"/run/{STATE}/{JOINED}", "")

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._samba.code

    async def wait(self) -> int:
        """Until it ends."""
        return await self._samba.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._samba.signal(number)

    async def stop(self, limit: float = 5.0) -> int:
        """The domain is away: members refuse its users."""
        return await self._samba.stop(limit)


async def start(node: Node, spec: DirectorySpec, context: RoleContext) -> DomainController:
    """Start the domain, controller and members; its users can log in when this returns."""
    domain = Domain(spec.realm, spec.users, tuple(spec.members), spec.lockout_threshold)
    members = [
        Computer(name, context.nodes[member], spec.addresses[name])
        for name, member in spec.members.items()
    ]
    controller = Computer(CONTROLLER, node, spec.addresses[CONTROLLER])
    return await start_domain(domain, controller, members)


async def start_domain(
    domain: Domain, controller: Computer, members: list[Computer]
) -> DomainController:
    """Start the domain, made anew or from the cache; its users can log in when this returns.

    UsageError with Samba's words when it takes a user or password for impossible.
    """
    computers = [controller, *members]
    addresses = {computer.name: computer.address for computer in computers}
    async with asyncio.TaskGroup() as group:
        for computer in computers:
            group.create_task(_lay_out(domain, computer, addresses))
    archive = archive_of(domain, Path(SAMBA))
    states = {computer.name: computer.node.run_directory / STATE for computer in computers}
    if archive.exists():
        await restore(archive, states)
    else:
        await _make(domain, controller, members)
        await keep(archive, states)
    for computer in computers:
        await _configure(domain, computer)
    started = DomainController(controller, members)
    await started.begin()
    return started


# ------------------------------------------------------------------------------ a computer's own


async def _lay_out(domain: Domain, computer: Computer, addresses: Mapping[str, str]) -> None:
    node = computer.node
    await node.call(partial(_own_places, computer.name))
    await node.write("/run/krb5.conf", kerberos_conf(domain))
    known = (await node.read("/etc/hosts")).decode()
    # Before the node's other names: the first is the one by which it knows itself.
    await node.write("/etc/hosts", hosts(domain, addresses) + known)


def _own_places(computer: str) -> None:
    """In the node's thread; after a restart of the node the old ones are gone but still mounted."""
    for name, place in PLACES.items():
        with suppress(OSError):
            calls.unmount(place)
        own = Path("/run", STATE, computer, name)
        own.mkdir(parents=True, exist_ok=True)
        Path(place).mkdir(parents=True, exist_ok=True)
        calls.bind(str(own), place)
    Path("/var/lib/samba/private").mkdir(mode=0o700, exist_ok=True)


async def _configure(domain: Domain, computer: Computer) -> None:
    is_controller = computer.name == CONTROLLER
    text = controller_conf(domain) if is_controller else member_conf(domain, computer.name)
    await computer.node.call(partial(Path("/etc/samba/smb.conf").write_text, text))


# ------------------------------------------------------------------------------ daemons


async def _start_controller(controller: Computer) -> Process:
    argv = [SAMBA, "-F", "--no-process-group", "-M", "single", "--debug-stdout", "-d1"]
    process = await controller.node.spawn(argv, log="samba", env=KERBEROS)

    def accepts() -> bool:
        for port in PORTS:
            with socket.create_connection((controller.address, port), timeout=1):
                pass
        return True

    async def serves() -> bool:
        _alive(controller, process, "samba")
        return await controller.node.call(accepts)

    await wait_until(f"{controller.node.name}: Active Directory serves", START_LIMIT, serves)
    return process


async def _start_winbind(member: Computer) -> Process:
    argv = ["winbindd", "-F", "--no-process-group", "--debug-stdout", "-d1"]
    return await member.node.spawn(argv, log="winbind", env=KERBEROS)


async def _until_joined(member: Computer, process: Process) -> None:
    async def joined() -> bool:
        _alive(member, process, "winbindd")
        return await _is_joined(member.node)

    await wait_until(f"{member.node.name}: winbindd has its domain", LOGIN_LIMIT, joined)


def is_member(node: Node) -> bool:
    """Whether the node has become a member for good."""
    return (node.run_directory / STATE / JOINED).exists()


async def _is_joined(node: Node) -> bool:
    """Whether the member's winbindd reaches its domain; ValueError with its words if not."""
    done = await node.run(["wbinfo", "--ping-dc"])
    if done.code:
        raise ValueError(done.said)
    return True


async def group_sid(node: Node, domain: str, group: str) -> str:
    """A group's SID, asked on a member; UsageError if the domain has no such group."""
    done = await node.run(["wbinfo", "-n", f"{domain}\\{group}"])
    if done.code:
        raise UsageError(
            f"there is no group {group} in {domain}: {done.said}",
            "give it to a user with `groups:`",
        )
    return done.stdout.split()[0]


def _alive(computer: Computer, process: Process, name: str) -> None:
    if process.code is not None:
        words = last_words(process)
        raise LabError(f"{computer.node.name}: {name} ended with {process.code}: {words}")


# ------------------------------------------------------------------------------ a new domain


async def _make(domain: Domain, controller: Computer, members: list[Computer]) -> None:
    """Provision, join, and stop again: what is then on the disk is the domain."""
    administrator = f"Adm1n.{secrets.token_urlsafe(12)}"
    wanted = provisioning(domain, controller.address, administrator)
    made = await controller.node.run(
        ["/usr/bin/python3", "-I", str(PROVISION)], input=wanted, limit=60, env=KERBEROS
    )
    if made.code:
        raise _impossible(made)
    await _configure(domain, controller)
    process = await _start_controller(controller)
    for member in members:
        await _configure(domain, member)
        await _join(domain, member, administrator)
        winbind = await _start_winbind(member)
        await _until_joined(member, winbind)
        await winbind.stop()
    await process.stop()


def _impossible(made: Completed) -> LabError:
    if made.code == os.EX_DATAERR:
        said = made.stderr.splitlines()[-1]
        return UsageError(f"Active Directory refuses {said}", "give the user another password")
    return LabError(f"Active Directory could not be made: {made.said[-2000:]}")


async def _join(domain: Domain, member: Computer, administrator: str) -> None:
    argv = ["net", "ads", "join", "-U", "Administrator", "--no-dns-updates",
            "-S", domain.host(CONTROLLER)]  # fmt: skip
    joined = await member.node.run(argv, input=f"{administrator}\n", limit=30, env=KERBEROS)
    if joined.code:
        raise LabError(f"{member.node.name} cannot join {domain.realm}: {joined.said}")
