"""A client computer's IKEv2: the real charon, configured from the profile and the .p12."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.charon import datapath
from gateway.charon.proposals import Proposals
from gateway.common import turns
from gateway.common.rotation import whole
from lab.clients.profile import Profile
from lab.clients.reasons import STRONGSWAN, judge
from lab.clients.strongswan_config import (
    CHILD,
    IKE,
    SILENCE,
    connection_message,
    strongswan_conf,
)
from lab.clients.user import NoCredentials, User, UserPassword
from lab.errors import LabError
from lab.nodes.base import Node, Process
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import Connection, RefusedError
from lab.waiting import wait_until

if TYPE_CHECKING:
    import vici

DIRECTORY = "/run/strongswan"
START_LIMIT = 10.0
DIAL_LIMIT = 20.0
RADIUS_DIAL_LIMIT = 45.0
"""With RADIUS: a gateway may wait 30 s for the server."""
_SILENT = re.compile(rf"retransmit {SILENCE} of request with message ID 0")
REKEY_LIMIT = 10.0
QUOTED = 1000
"""Bytes of its log in an error."""
DAEMON = "/usr/sbin/charon-systemd"
_TABLE, _BEFORE_CHARON = str(datapath.CHARONS_TABLE), str(datapath.CHARONS_TABLE - 1)
"""charon's table of routes, and the priority of a rule before that of charon, 220."""
Message = dict[str, Any]
T = TypeVar("T")


class StrongSwan:
    """lab.vpn_client.Driver over vici."""

    protocol: VpnProtocol = "IkeV2"

    def __init__(
        self,
        node: Node,
        profile: Profile,
        user: User,
        offered: Proposals,
        tls: TlsLimits | None = None,
    ) -> None:
        self._node = node
        self._profile = profile
        self._user = user
        self._offered = offered
        self._tls = tls or TlsLimits()
        self._daemon: Process | None = None
        self._userspace = False
        self._seconds = 0.0

    async def connect(self) -> Connection:
        """Dial once; RefusedError with charon's messages if the tunnel does not come up."""
        began = time.monotonic()
        await self.disconnect()
        await self._start()
        lines: list[str] = []
        limit = RADIUS_DIAL_LIMIT if self._uses_radius else DIAL_LIMIT
        giving_up = asyncio.create_task(self._give_up(lines, limit))
        try:
            failure = await self._with_session(lambda session: _initiate(session, lines, limit))
        finally:
            giving_up.cancel()
        self._seconds = time.monotonic() - began
        connection = None if failure else await self.connection()
        if connection is None:
            reason, message = judge(STRONGSWAN, lines or [failure])
            await self.disconnect()
            raise RefusedError(self.protocol, reason, message, self._seconds)
        return connection

    async def _give_up(self, lines: list[str], limit: float) -> None:
        """Give up early on a gateway that does not answer at all, despite RADIUS's long limit."""

        def silent() -> bool:
            return any(_SILENT.search(line) for line in list(lines))

        if not self._uses_radius:
            return
        import vici.exception  # noqa: PLC0415 (as below)

        # Neither is an error: an answer may have arrived, or charon may have given up by itself.
        with suppress(TimeoutError, vici.exception.CommandException):
            await wait_until(f"{self._node.name}: silence", limit, silent)
            lines.append(f"giving up after {SILENCE - 1} retransmits")
            await self._ask("terminate", {"ike": IKE, "force": "yes", "timeout": "-1"})

    async def disconnect(self) -> None:
        """Disconnect: a stopping charon closes its SAs at the gateway and removes its routes."""
        if self._daemon is not None:
            await self._daemon.stop()
            self._daemon = None
            await self._forget_networks()

    async def connection(self) -> Connection | None:
        """The tunnel in charon's list of SAs, if any."""
        if self._daemon is None or self._daemon.code is not None:
            return None
        for association in await self._associations():
            children = association["child-sas"].values()
            if association["state"] == b"ESTABLISHED" and any(
                child["state"] == b"INSTALLED" for child in children
            ):
                address = association.get("local-vips", [b""])[0].decode()
                device = datapath.USERSPACE_DEVICE if self._userspace else "eth0"
                data = "kernel-libipsec" if self._userspace else "kernel ESP"
                return Connection(self.protocol, address, device, self._seconds, data)
        return None

    async def rekey(self) -> None:
        """Rekey the CHILD_SA, then the IKE_SA; returns when both have new SPIs."""
        for request, spis in (({"child": CHILD}, _child_spis), ({"ike": IKE}, _ike_spis)):
            old = spis(await self._associations())
            await self._ask("rekey", request)

            async def renewed(
                old: set[bytes] = old, spis: Callable[[list[Message]], set[bytes]] = spis
            ) -> bool:
                new = spis(await self._associations())
                return bool(new) and not new & old

            await wait_until(f"{self._node.name}: new keys for {request}", REKEY_LIMIT, renewed)

    async def ended(self, limit: float) -> str:
        """Wait until charon has no tunnel; its last log line about it."""

        async def gone() -> bool:
            return await self.connection() is None

        await wait_until(f"{self._node.name}: the IKEv2 tunnel is down", limit, gone)
        log = whole(self._daemon.log).splitlines() if self._daemon else []
        ends = [line for line in log if re.search(r"DELETE|deleting|peer not responding", line)]
        return ends[-1] if ends else "charon is not running"

    @property
    def _uses_radius(self) -> bool:
        """Whether the gateway asks a RADIUS server, for which it may wait 30 s."""
        return isinstance(self._user, UserPassword) or bool(self._profile.radius_root)

    async def _start(self) -> None:
        esp = await self._node.call(datapath.find)
        self._userspace = esp.userspace
        text = strongswan_conf(
            DIRECTORY,
            userspace=self._userspace,
            patient=self._uses_radius,
            slowness=turns.slowness(),
            tls=self._tls,
        )
        await self._node.write(f"{DIRECTORY}/strongswan.conf", text)
        env = {"STRONGSWAN_CONF": f"{DIRECTORY}/strongswan.conf"}
        process = await self._node.spawn([DAEMON], log="charon", env=env)

        async def answers() -> bool:
            if process.code is not None:
                log = whole(process.log, QUOTED)
                raise LabError(f"{self._node.name}: charon ended with {process.code}: {log}")
            await self._ask("version")
            return True

        await wait_until(f"{self._node.name}: charon answers", START_LIMIT, answers)
        self._daemon = process
        await self._keep_own_networks()
        await self._with_session(self._load)

    async def _keep_own_networks(self) -> None:
        """Let the longest prefix decide, and the computer's own of equal ones, as if there were
        one table of routes: charon's comes before the computer's."""
        await self._forget_networks()
        done = await self._node.run(["ip", "-json", "-4", "route", "show", "scope", "link"])
        networks = {row["dst"] for row in json.loads(done.stdout or "[]")} - {"default"}
        commands = [f"route append throw {dst} table {_TABLE}" for dst in sorted(networks)]
        equal = sorted(networks & set(self._profile.routes))
        commands += [f"rule add priority {_BEFORE_CHARON} to {dst} lookup main" for dst in equal]
        done = await self._node.run(["ip", "-batch", "-"], input="\n".join(commands))
        if done.code:
            raise LabError(f"{self._node.name}: exceptions from charon's routes: {done.output}")

    async def _forget_networks(self) -> None:
        """Empty charon's table, and delete the rules before it."""
        done = await self._node.run(["ip", "-json", "rule", "show", "priority", _BEFORE_CHARON])
        rules = json.loads(done.stdout or "[]")
        commands = [f"route flush table {_TABLE}"]
        commands += [f"rule del priority {_BEFORE_CHARON}"] * len(rules)
        await self._node.run(["ip", "-force", "-batch", "-"], input="\n".join(commands))

    def _load(self, session: vici.Session) -> None:
        for root in _each(self._profile.server_root + self._profile.radius_root):
            session.load_cert({"type": "x509", "flag": "CA", "data": root})
        if isinstance(self._user, UserPassword):
            session.load_shared({"type": "EAP", "data": self._user.password})
        elif not isinstance(self._user, NoCredentials):
            session.load_key({"type": "any", "data": self._user.key_pem})
            for intermediate in self._user.intermediates_pem:
                session.load_cert({"type": "x509", "flag": "NONE", "data": intermediate})
        session.load_conn(
            {IKE: connection_message(self._profile, self._user, self._offered,
                                     encapsulate=self._userspace)}
        )  # fmt: skip

    async def _associations(self) -> list[Message]:
        """charon's IKE_SAs of our connection."""
        rows = await self._ask("list_sas", {"ike": IKE})
        return [association for row in rows for association in row.values()]

    async def _ask(self, command: str, message: Message | None = None) -> list[Message]:
        """Send one command in a separate session; all answers."""

        def ask(session: vici.Session) -> list[Message]:
            answer = getattr(session, command)(*([message] if message else []))
            return list(answer) if isinstance(answer, Iterator) else [answer]

        return await self._with_session(ask)

    async def _with_session(self, work: Callable[[vici.Session], T]) -> T:
        """Call `work` with a separate session, in a thread: vici blocks."""
        line = await self._node.connect(f"{DIRECTORY}/charon.vici")

        def call() -> T:
            import vici  # noqa: PLC0415 (34 ms that only a dial needs)

            with line:
                line.settimeout(RADIUS_DIAL_LIMIT + START_LIMIT)
                return work(vici.Session(line))

        return await asyncio.to_thread(call)


def _initiate(session: vici.Session, lines: list[str], limit: float) -> str:
    """Initiate the tunnel; empty if charon reports that it is up, else charon's error."""
    import vici.exception  # noqa: PLC0415 (as above)

    request = {"child": CHILD, "ike": IKE, "loglevel": "1", "timeout": str(int(limit * 1000))}
    try:
        # Extended one by one, so that the lines before an error are kept.
        lines.extend(_text(entry) for entry in session.initiate(request))
    except vici.exception.CommandException as error:
        return str(error)
    return ""


def _each(pem: bytes) -> list[bytes]:
    """The certificates of a PEM text one by one: charon takes the first of each."""
    end = b"-----END CERTIFICATE-----\n"
    return [one + end for one in pem.split(end)[:-1]]


def _text(entry: Message) -> str:
    message: bytes = entry.get("msg", b"")
    return message.decode(errors="replace")


def _child_spis(associations: list[Message]) -> set[bytes]:
    return {
        child["spi-in"]
        for association in associations
        for child in association["child-sas"].values()
        if child["state"] == b"INSTALLED"
    }


def _ike_spis(associations: list[Message]) -> set[bytes]:
    return {row["initiator-spi"] for row in associations if row["state"] == b"ESTABLISHED"}
