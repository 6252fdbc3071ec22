"""A RADIUS server: FreeRADIUS, and before it the push proxy where there is a second factor.

The proxy (radius.push_proxy) then has the server's address, and FreeRADIUS is on loopback.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.common.rotation import Place, place, since, whole
from lab.errors import LabError, UsageError
from lab.nodes.base import Node, Process
from lab.pki.revocation import revocation_list
from lab.roles.daemon import last_words
from lab.roles.directory import group_sid, is_member
from lab.waiting import patience, wait_until
from radius.freeradius import NAME, command, files
from radius.freeradius_instance import Authority, Client, Domain, Instance, Tls
from radius.freeradius_sections import REFUSALS
from radius.push import Approved
from radius.reasons import Refusal, of_freeradius, of_push_proxy, telling

if TYPE_CHECKING:
    from lab.pki.authority import Credential
    from lab.roles import RoleContext
    from lab.topology.planning.specs import RadiusSpec

DIRECTORY = "/run/freeradius"
CONFIGURATION = f"{DIRECTORY}/{NAME}.conf"
"""FreeRADIUS's, which has secrets."""
PUSH_PROXY = "/run/push-proxy"
SETTINGS = f"{PUSH_PROXY}/settings.json"
"""The push proxy's, which have secrets; missing without one."""
LOOPBACK = "127.0.0.1"
LIMIT = 15.0
DOMAIN_LIMIT = 120.0
"""A new domain is made first."""
CONTROL_LIMIT = 5.0


@dataclass(frozen=True)
class Settings:
    """What runs on the node."""

    instance: Instance
    factor: Approved | None = None
    deniers: tuple[str, ...] = ()
    slow: float = 0.0

    @property
    def has_push_proxy(self) -> bool:
        """Whether the push proxy is before FreeRADIUS."""
        return self.factor is not None or self.slow > 0


async def start(node: Node, spec: RadiusSpec, context: RoleContext) -> RadiusServer:
    """Start it, once its node is a member of its domain; it answers when this returns."""
    instance = instance_of(spec, context.credentials)
    if spec.domain:
        member = await _joined(node, spec.domain, spec.group)
        instance = replace(instance, domain=member)
    return await start_radius(node, instance, spec.factor, spec.deniers)


def instance_of(spec: RadiusSpec, credentials: Mapping[str, Credential]) -> Instance:
    """With the certificates that the spec names; without a domain."""
    own = credentials[spec.certificate] if spec.certificate else None
    secret = spec.secret.get_secret_value()
    return Instance(
        address=spec.address,
        clients=tuple(Client(prefix, secret) for prefix in spec.clients),
        users={name: password.get_secret_value() for name, password in spec.users.items()},
        methods=spec.methods,
        tls=Tls(own.chain_pem, own.key_pem) if own else None,
        authority=_authority(spec, credentials),
        signs_all=spec.signs_all,
    )


def _authority(spec: RadiusSpec, credentials: Mapping[str, Credential]) -> Authority | None:
    if spec.authority is None:
        return None
    authority = credentials[spec.authority]
    revoked = [credentials[name] for name in spec.revoked]
    return Authority(authority.certificate_pem, revocation_list(authority, revoked))


async def start_radius(
    node: Node,
    instance: Instance,
    factor: Approved | None = None,
    deniers: tuple[str, ...] = (),
) -> RadiusServer:
    """Start this one; it answers when this returns."""
    server = RadiusServer(node, Settings(instance, factor, deniers))
    await server.begin()
    return server


async def _joined(node: Node, domain: str, group: str | None) -> Domain:
    """The domain, once the directory role has made this node its member."""
    what = f"{node.name}: a member of {domain}"
    await wait_until(what, DOMAIN_LIMIT, lambda: is_member(node))
    return Domain(domain, await group_sid(node, domain, group) if group else None)


class RadiusServer:
    """A RADIUS server as its own administrator holds it; also the running program."""

    def __init__(self, node: Node, settings: Settings) -> None:
        self.node = node
        self._usual = self._settings = settings
        self._processes: list[Process] = []

    # ---- lab.nodes.base.Process, of FreeRADIUS

    pid: int
    log: Path

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._processes[0].code

    async def wait(self) -> int:
        """Until it ends."""
        return await self._processes[0].wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._processes[0].signal(number)

    async def stop(self, limit: float = 5.0) -> int:
        """End it, and the proxy."""
        codes = [await process.stop(limit) for process in reversed(self._processes)]
        return codes[-1]

    # ---- start, and faults

    async def begin(self) -> None:
        """Start; LabError with a program's last words if it ends instead."""
        settings = self._settings
        instance, key = settings.instance, secrets.token_hex(16)
        if settings.has_push_proxy:
            behind = (Client(f"{LOOPBACK}/32", key),)
            instance = replace(instance, address=LOOPBACK, clients=behind)
        for name, file in files(instance, DIRECTORY).items():
            await self.node.write(f"{DIRECTORY}/{name}", file.content, file.mode)
        process = await self.node.spawn(command(DIRECTORY, instance), log="freeradius")
        self._processes = [process]
        self.pid, self.log = process.pid, process.log
        await _until_bound(self.node, process, "FreeRADIUS", instance)
        if settings.has_push_proxy:
            await self._start_push_proxy(key)

    async def _start_push_proxy(self, key: str) -> None:
        instance = self._settings.instance
        document = {
            "listen": [instance.address, instance.port],
            "server": [LOOPBACK, instance.port, key],
            "clients": [[client.prefix, client.secret] for client in instance.clients],
            "control": f"{PUSH_PROXY}/control.sock",
            "factor": self._settings.factor,
            "deniers": list(self._settings.deniers),
            "slow": self._settings.slow,
        }
        await self.node.write(SETTINGS, json.dumps(document), 0o600)
        argv = [sys.executable, "-m", "radius.push_proxy", SETTINGS]
        process = await self.node.spawn(argv, log="push-proxy")
        self._processes.append(process)
        await _until_bound(self.node, process, "the push proxy", instance)

    async def become(self, *, slow: float = 0.0, secret: str | None = None) -> None:
        """Start anew with a fault: every answer late by so many seconds, or with another shared
        secret; without one, as it was at first."""
        await self.stop()
        usual = self._usual
        instance = usual.instance
        if secret is not None:
            other = tuple(replace(client, secret=secret) for client in instance.clients)
            instance = replace(instance, clients=other)
        self._settings = replace(usual, instance=instance, slow=slow)
        await self.begin()

    # ---- the second factor

    @property
    def asks(self) -> bool:
        """Whether a second factor asks its users."""
        return self._settings.factor is not None

    async def decide(self, user: str, *, approve: bool) -> int:
        """Answer for the user whom the second factor asks; how many requests that decided.
        UsageError if it is not asking that user."""
        told = await self._control(f"{'approve' if approve else 'deny'} {user}")
        if not told["decided"]:
            asked = ", ".join(told["waiting"]) or "nobody"
            raise UsageError(f"no server is asking {user} now", f"it is asking: {asked}")
        return int(told["decided"])

    async def waiting(self) -> list[str]:
        """The users whose approval is waited for."""
        names: list[str] = (await self._control("waiting"))["waiting"]
        return names

    async def _control(self, line: str) -> dict[str, Any]:
        if self._settings.factor is None:
            raise UsageError(f"{self.node.name} asks for no second factor", "see `secondFactor:`")
        path = self.node.run_directory / "push-proxy" / "control.sock"
        async with patience(CONTROL_LIMIT):
            try:
                reader, writer = await asyncio.open_unix_connection(path)
            except OSError:  # it is down: a fault, or just starting anew
                return {"waiting": [], "decided": 0}
            with closing(writer):
                writer.write(f"{line}\n".encode())
                told: dict[str, Any] = json.loads(await reader.readline())
        return told

    # ---- its logs

    def own_logs(self) -> list[Path]:
        """The logs that FreeRADIUS keeps itself, by the supervisor's paths."""
        return [self.node.run_directory / Path(DIRECTORY).name / REFUSALS]

    def written(self) -> dict[Path, Place]:
        """How far its logs are."""
        return {path: place(path) for path in self._logs()}

    def refusal(
        self, user: str, then: Mapping[Path, Place], *, agreed: bool = False
    ) -> Refusal | None:
        """Why it refused this user at last, since its logs were as far as that; if `agreed`, None
        where they have several reasons."""
        told = [
            list(read(since(path, then[path]) if path in then else whole(path)))
            for path, read in self._logs().items()
        ]
        return telling(user, told, agreed=agreed)

    def _logs(self) -> dict[Path, Callable[[str], Iterator[Refusal]]]:
        """Those that tell of refusals, and who reads them."""
        (refusals,) = self.own_logs()
        known = {refusals: of_freeradius, self.log.with_name("push-proxy.log"): of_push_proxy}
        return {path: read for path, read in known.items() if path.exists()}


async def _until_bound(node: Node, process: Process, name: str, instance: Instance) -> None:
    """Until its UDP socket is there: what is sent from then on waits in it."""
    place = f" {_kernels(instance.address)}:{instance.port:04X} "

    async def bound() -> bool:
        if process.code is not None:
            raise LabError(f"{node.name}: {name} ended with {process.code}: {last_words(process)}")
        return place in await node.wait_for(Path("/proc/thread-self/net/udp").read_text)

    what = f"{node.name}: {name} listens on UDP {instance.address}:{instance.port}"
    await wait_until(what, LIMIT, bound)


def _kernels(address: str) -> str:
    """An IPv4 address as /proc/net/udp has it: in the machine's byte order."""
    return f"{int.from_bytes(IPv4Address(address).packed, sys.byteorder):08X}"
