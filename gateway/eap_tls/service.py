"""The gateway's side of gateway.eap_tls.worker, which verifies certificates and terminates EAP-TLS
for every protocol.

Every fault results in a refusal.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.common.errors import EngineError, GatewayError
from gateway.common.files import make_private_directory
from gateway.daemons.daemon import START_LIMIT, Daemon, Program
from gateway.eap_tls.worker import messages as m
from gateway.ppp.eap import Code
from gateway.ppp.frames import encode_packet
from gateway.unprivileged.environment import worker_environment
from gateway.unprivileged.halfopen import HalfOpen
from gateway.unprivileged.link import WorkerLink
from gateway.unprivileged.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cryptography.x509 import Certificate

    from gateway.arm.placement import Placement
    from gateway.common.vocabulary import Reason

M = TypeVar("M", bound=Message)
ANSWER_LIMIT = 5.0
"""Seconds to wait for the worker's answer, which takes milliseconds."""
LIFE = 60.0
"""Maximum seconds of a conversation, including the client's own time."""
MOST_AT_ONCE = 32
"""Maximum packets queued in the worker. The most expensive takes 4 ms (an RSA signature), so the
heartbeat is answered within a tenth of its limit, however many clients there are."""
MOST_CONVERSATIONS = 1000
SHARE = 256
"""Maximum conversations per source: many clients may be behind one NAT."""

Ended = m.Shown | m.Failed


class EapTls:
    """One worker for all engines, started when a document first enables certificates."""

    def __init__(self, placement: Placement, state: Path, log: Callable[[str], None]) -> None:
        """`log` is called with a message when the worker dies."""
        self._placement = placement
        self._state = state
        self._log = log
        self._roots: tuple[Certificate, ...] = ()
        self._daemon: Daemon | None = None
        self._link = WorkerLink(
            "gateway.eap_tls.worker", m.FROM_WORKER, m.TO_WORKER, self._on, self._on_broken
        )
        self._numbers = itertools.count(1)
        self._open: HalfOpen[int] = HalfOpen(total=MOST_CONVERSATIONS, share=SHARE)
        self._sources: dict[int, tuple[str, asyncio.TimerHandle]] = {}
        self._waiting: dict[tuple[str, int], asyncio.Future[Message]] = {}
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._counts: Mapping[str, int] = {}
        self._evicted = 0

    # ------------------------------------------------------------------------------- the worker

    async def configure(self, roots: tuple[Certificate, ...]) -> None:
        """Use these roots from now on; return when the worker has them. EngineError: it failed."""
        self._roots = roots
        if self._daemon is None:
            self._daemon = Daemon(self._program())
        if self._daemon.state == "running":
            await self._send_roots()
        else:
            await self._daemon.start()

    async def stop(self) -> None:
        """Stop the worker; pending requests are refused."""
        if self._daemon:
            daemon, self._daemon = self._daemon, None
            await daemon.stop()
        self._abandon()

    async def refresh(self) -> None:
        """Get the worker's counters. EngineError: no answer."""
        self._counts = (await self._ask(m.Ping(number=next(self._numbers)), m.Pong)).counts

    def report(self) -> dict[str, Any]:
        """The worker's state for GET /runtime."""
        daemon = self._daemon
        return {
            "state": daemon.state if daemon else "stopped",
            "pid": daemon.pid if daemon else None,
            "restarts": daemon.restarts if daemon else 0,
            "counters": {**self._counts, "open": len(self._sources), "evicted": self._evicted},
        }

    # ---------------------------------------------------------------------------- conversations

    def begin(self, source: str) -> int:
        """Begin a conversation with a client at this address, and return its number.

        If there are too many, the source that has the most loses its oldest.
        """
        number = next(self._numbers)
        timer = asyncio.get_running_loop().call_later(LIFE, self.forget, number)
        self._sources[number] = source, timer
        if (victim := self._open.add(number, source)) is not None:
            self._evicted += 1
            self.forget(victim)
        return number

    async def respond(
        self, conversation: int, packet: bytes, *, room: int = m.ROOM
    ) -> m.Request | m.Shown | m.Failed:
        """Handle a client's EAP-Response. `room`: maximum bytes of the next Request."""
        if conversation not in self._sources:
            return _failed(conversation, packet, "timeout", "the conversation has ended")
        order = m.Response(conversation=conversation, packet=packet[: m.LONGEST_PACKET], room=room)
        try:
            answer: m.Request | m.Shown | m.Failed
            async with self._turns:
                answer = await self._ask(order, m.Request, m.Shown, m.Failed)
        except EngineError as error:
            answer = _failed(conversation, packet, "fault", error.message)
        if not isinstance(answer, m.Request):
            self.forget(conversation)
        return answer

    def forget(self, conversation: int) -> None:
        """End a conversation; does nothing if it has ended already."""
        source, timer = self._sources.pop(conversation, ("", None))
        if timer is None:
            return
        timer.cancel()
        self._open.remove(conversation, source)
        with suppress(EngineError):
            self._link.send(m.Forget(conversation=conversation))

    async def look(self, chain: Sequence[bytes]) -> m.Looked:
        """Verify a chain (DER, the client's own first); the caller has seen proof of its key."""
        number = next(self._numbers)
        try:
            return await self._ask(m.Look(number=number, chain=tuple(chain)), m.Looked)
        except (EngineError, ValueError) as error:
            why = error.message if isinstance(error, EngineError) else "too many or too large"
            return m.Looked(number=number, reason="fault", message=why)

    # ------------------------------------------------------------------------------------ inside

    def _program(self) -> Program:
        files = self._placement.serverCertificate
        return Program(
            name="eapd",
            argv=(
                *(sys.executable, "-m", "gateway.eap_tls.worker"),
                *(f"--certificate={files.certificate}", f"--key={files.privateKey}"),
            ),
            log=self._state / "eapd.log",
            prepare=self._prepare,
            ready=self._ready,
            gone=self._gone,
            env=worker_environment(),
            inherits=lambda: {"control": self._link.theirs()},
            alive=self.refresh,
        )

    async def _prepare(self) -> None:
        make_private_directory(self._state)
        self._link.renew()

    async def _ready(self) -> None:
        self._link.started()
        configured = await self._send_roots(START_LIMIT)
        if configured.kept:
            self._log(f"eapd runs without capabilities, and keeps {configured.kept}")

    async def _send_roots(self, limit: float | None = None) -> m.Configured:
        roots = tuple(root.public_bytes(Encoding.DER) for root in self._roots)
        order = m.Configure(number=next(self._numbers), roots=roots)
        return await self._ask(order, m.Configured, limit=limit)

    async def _gone(self, error: GatewayError) -> None:
        self._abandon()
        self._log(error.message)

    def _abandon(self) -> None:
        self._link.close()
        for future in self._waiting.values():
            future.cancel()
        for conversation in list(self._sources):
            self.forget(conversation)

    def _on_broken(self, why: str) -> None:
        """Kill a worker that cannot be trusted any more; its supervisor starts another."""
        pid = self._daemon.pid if self._daemon else None
        if pid:
            sys.stderr.write(f"eapd is killed: {why}\n")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _ask(self, order: Message, *kinds: type[M], limit: float | None = None) -> M:
        """Send an order and wait `limit` seconds for the answer. EngineError: none, or wrong."""
        key = _key(order)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            raise EngineError("eapd has not answered the previous packet")
        self._waiting[key] = answer
        try:
            self._link.send(order)
            await asyncio.wait({answer}, timeout=limit or ANSWER_LIMIT)
        finally:
            del self._waiting[key]
        if not answer.done() or answer.cancelled():
            raise EngineError("eapd gave no answer")
        message = answer.result()
        if not isinstance(message, kinds):
            raise EngineError(f"eapd answered with {type(message).__name__}")
        return message

    def _on(self, message: m.FromWorker) -> None:
        waiting = self._waiting.get(_key(message))
        if waiting and not waiting.done():
            waiting.set_result(message)


def _key(message: Message) -> tuple[str, int]:
    for name in ("conversation", "number"):
        if (number := getattr(message, name, None)) is not None:
            return name, number
    raise TypeError(f"{type(message).__name__} has no answer")


def _failed(conversation: int, packet: bytes, reason: Reason, message: str) -> m.Failed:
    """A refusal by the gateway itself, with an EAP-Failure."""
    identifier = packet[1] if len(packet) > 1 else 0
    failure = encode_packet(Code.FAILURE, identifier)
    return m.Failed(conversation=conversation, reason=reason, message=message, packet=failure)
