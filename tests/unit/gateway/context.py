"""An engine's context, made of fakes and what a test provides."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from gateway.eap_tls.worker.messages import Certified, Failed, Looked, Request, Shown
from gateway.engine import EngineContext
from gateway.policy.admission import Admission
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Sessions
from tests.rigs.fences import RecordingFence

FAILURE, SUCCESS = b"\x04\x01\x00\x04", b"\x03\x01\x00\x04"
Step = Request | Shown | Failed


class FakeEapTls:
    """A fake gateway.eap_tls.service.EapTls that returns the given steps in order."""

    def __init__(self, *steps: Step, looked: Looked | None = None) -> None:
        self.steps = list(steps)
        self.looked = looked
        self.begun: list[str] = []
        self.heard: list[bytes] = []
        self.forgotten: list[int] = []
        self.chains: list[tuple[bytes, ...]] = []

    def begin(self, source: str) -> int:
        self.begun.append(source)
        return len(self.begun)

    async def respond(self, _conversation: int, packet: bytes, *, room: int = 0) -> Step:
        self.heard.append(packet)
        return self.steps.pop(0)

    def forget(self, conversation: int) -> None:
        self.forgotten.append(conversation)

    async def look(self, chain: tuple[bytes, ...]) -> Looked:
        self.chains.append(chain)
        assert self.looked
        return self.looked


def certified(name: str = "alice", root: str = "ROOT") -> Certified:
    return Certified(user=name, thumbprints=(name.upper(), f"{name.upper()}-TWIN"), root=root)


def shown(name: str = "alice", root: str = "ROOT") -> Shown:
    return Shown(
        conversation=1,
        certificate=certified(name, root),
        msk=bytes(range(64)),
        success=SUCCESS,
        failure=FAILURE,
    )


def engine_context(
    sessions: Sessions | None = None,
    *,
    admission: Admission | None = None,
    log: DiagnosticLog | None = None,
    eap_tls: Any = None,
    radius: Any = None,
    placement: Any = None,
    charon: Any = None,
    state: Path = Path(),
) -> EngineContext:
    sessions = sessions or Sessions(RecordingFence())
    return EngineContext(
        cast("Any", placement),
        state,
        admission or Admission(sessions),
        sessions,
        log or DiagnosticLog(),
        cast("Any", eap_tls or FakeEapTls()),
        cast("Any", radius),
        cast("Any", charon),
    )
