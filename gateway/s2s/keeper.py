"""Keeps one site-to-site tunnel up."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.charon import vici_messages as vici
from gateway.common.background import end
from gateway.common.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.arm.connections import ConnectionStatus
    from gateway.charon.daemon import Charon
    from gateway.policy.diagnostics import TunnelLog
    from gateway.s2s.config import Tunnel

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between attempts to initiate the tunnel; doubled after each failure."""
LOOK_INTERVAL = 10.0
"""Seconds after which an established tunnel is checked, in case an event was missed."""
SETUP_LIMIT = 20.0
GOODBYE_MS = "1000"

# Patterns in charon's messages that explain why there is no tunnel; the first match decides.
_REASONS = (
    (r"AUTHENTICATION_FAILED|AUTH_FAILED|MAC mismatched", "the pre-shared keys differ"),
    (r"giving up after|peer not responding|timed out", "the VPN device does not answer"),
    (r"NO_PROPOSAL_CHOSEN notify, no CHILD_SA", "the two sides share no ESP proposal"),
    (r"NO_PROPOSAL_CHOSEN|NO_PROP\)", "the two sides share no IKE proposal"),
    (r"TS_UNACCEPT", "the two sides share no traffic selectors"),
    (r"Network is unreachable|error writing to socket", "the VPN device cannot be reached"),
)


class Keeper:
    """One connection's state, and the task that keeps its tunnel up."""

    def __init__(self, tunnel: Tunnel, charon: Charon, log: TunnelLog) -> None:
        self.tunnel = tunnel
        self.status: ConnectionStatus = "Unknown"
        self._charon = charon
        self._log = log
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._children: dict[str, vici.ChildSa] = {}
        self._why = ""

    @property
    def bytes_in(self) -> int:
        """Bytes from the site, over all CHILD_SAs, each of which counts from zero."""
        return sum(child.bytes_in for child in self._children.values())

    @property
    def bytes_out(self) -> int:
        """Bytes to the site."""
        return sum(child.bytes_out for child in self._children.values())

    def begin(self) -> None:
        """Start keeping the tunnel up: charon has loaded the connection."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        self.wake()

    def wake(self) -> None:
        """Check the tunnel now."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop keeping the tunnel up; the tunnel itself is left alone."""
        if self._task:
            await end(self._task)
            self._task = None

    def lost(self, why: str) -> None:
        """The tunnel has ended with charon."""
        self._set("NotConnected", why)

    def count(self, children: Iterable[vici.ChildSa]) -> None:
        """Store counters of CHILD_SAs."""
        self._children.update({child.uniqueid: child for child in children})

    async def look(self) -> bool:
        """Ask charon whether the tunnel is up, and update the counters."""
        question = {"ike": self.tunnel.connection, "noblock": "yes"}
        sas = [
            sa
            for message in await self._charon.link.ask("list-sas", question)
            for sa in vici.ike_sas(message)
        ]
        for sa in sas:
            self.count(sa.children)
        return any(
            sa.state == "ESTABLISHED" and any(c.state == "INSTALLED" for c in sa.children)
            for sa in sas
        )

    async def terminate(self) -> None:
        """End the tunnel."""
        order = {"ike": self.tunnel.connection, "force": "yes", "timeout": GOODBYE_MS}
        with suppress(EngineError):  # there was none
            await self._charon.link.apart("terminate", {**order, "loglevel": "-1"})

    async def _keep(self) -> None:
        """Look at every event; events of a failed attempt do not bring the next one forward."""
        now = asyncio.get_running_loop().time
        pause, due = FIRST_PAUSE, 0.0
        while True:
            self._wake.clear()
            up = False
            if self._charon.running:
                with suppress(EngineError):  # charon is dying, which its supervisor handles
                    up = await self.look() or (now() >= due and await self._set_up())
            if up:
                self._set("Connected", "")
                pause, due = FIRST_PAUSE, 0.0
            elif now() >= due:
                due, pause = now() + pause, min(pause * 2, LONGEST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL if up else due - now()):
                    await self._wake.wait()

    async def _set_up(self) -> bool:
        if not self.tunnel.initiates:
            self._set("NotConnected", "waiting for the VPN device to initiate")
            return False
        if self.status in ("Unknown", "Connected"):
            self._set("Connecting", "")
        lines, refusal = await self._charon.link.initiate(self.tunnel.connection, SETUP_LIMIT)
        if await self.look():
            return True
        self._set("NotConnected", reason(lines, refusal))
        return False

    def _set(self, status: ConnectionStatus, why: str) -> None:
        """Set the status; repeated failures for the same reason are logged once."""
        new = status in ("Connected", "NotConnected") and (status, why) != (self.status, self._why)
        self.status = status
        if status != "Connecting":
            self._why = why
        if new:
            self._log.add(self.tunnel.name, status, str(self.tunnel.peer), why)


def reason(lines: Iterable[str], refusal: str) -> str:
    """Why there is no tunnel, with charon's message in parentheses."""
    messages = [*lines, refusal]
    for pattern, words in _REASONS:
        for line in messages:
            if re.search(pattern, line):
                return f"{words} ({line.strip()})"
    return refusal or "charon gave no reason"
