"""What is said over a lab's control socket: requests, answers and events, one JSON message each.

A request is `{"request": ..., ...}`. It is answered by any number of `{"event": ..., ...}` and
then one `{"ok": ...}` or `{"error": {"message", "remedy", "code"}}`; `watch` has no end of its
own. `enter` and `namespaces` carry descriptors with their answer (SCM_RIGHTS).

Dataclasses, because importing pydantic would take longer than building a world of 50 nodes; steps
are validated where they are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.nodes.base import Node
    from lab.topology.model.steps import Step


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the building starts or ends."""

    name: str
    state: Literal["started", "done", "failed"]
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A check or an action is done; `index` is its place in the list of steps."""

    index: int
    verb: str
    text: str
    held: bool
    detail: str
    seconds: float
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The lab is built, `seconds` after its start."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The lab could not be built; `code` is the exit code."""

    message: str
    remedy: str | None = None
    code: int


Event = Stage | StepResult | Ready | Failed
Emit = Callable[[Event], None]
_EVENTS: dict[str, type[Event]] = {
    "stage": Stage,
    "step": StepResult,
    "ready": Ready,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


def event_as_data(event: Event) -> dict[str, Any]:
    """An event as its message."""
    return {"event": _NAMES[type(event)], **asdict(event)}


def event_of(message: Mapping[str, Any]) -> Event:
    """The event that a message tells of."""
    fields = dict(message)
    return _EVENTS[fields.pop("event")](**fields)


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the lab is and how it does."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """All events from the beginning, then each as it happens."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Carry out steps (lab.topology.model.steps, as data), in order; whether all held."""

    steps: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Enter:
    """A way into a node: answered by `namespaces`, with their descriptors in the order of
    lab.runtime.enter.KINDS, or by `agent`, with a connection to it (lab.guest.wire)."""

    node: str


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """Descriptors of the lab's own user and mount namespaces, in that order."""


@dataclass(frozen=True, kw_only=True)
class Exec:
    """Run a program in a node to its end, within `limit` seconds."""

    node: str
    argv: list[str]
    input: str = ""
    limit: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Operate:
    """What a gateway's operator does."""

    gateway: str
    action: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decide:
    """What a user says on the telephone, when a second factor asks; at any time, also while steps
    are carried out."""

    user: str
    approve: bool


@dataclass(frozen=True, kw_only=True)
class Down:
    """End the lab."""


Request = Status | Watch | Run | Enter | Namespaces | Exec | Operate | Decide | Down
_REQUESTS: dict[str, type[Request]] = {
    "status": Status,
    "watch": Watch,
    "run": Run,
    "enter": Enter,
    "namespaces": Namespaces,
    "exec": Exec,
    "operate": Operate,
    "decide": Decide,
    "down": Down,
}


def request_of(message: Mapping[str, Any]) -> Request:
    """The request that a message makes; UsageError if this lab knows none such."""
    fields = dict(message)
    name = fields.pop("request", None)
    if name not in _REQUESTS:
        raise UsageError(f"no such request: {name}", f"one of: {', '.join(_REQUESTS)}")
    try:
        return _REQUESTS[name](**fields)
    except TypeError as error:
        raise UsageError(f"request {name}: {error}") from None


class Body(Protocol):
    """What a supervisor supervises."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The computers that exist by now."""

    async def build(self, emit: Emit) -> None:
        """Build it all; an exception means that the lab failed."""

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        """Carry out steps; whether all held."""

    async def status(self) -> dict[str, Any]:
        """At least `nodes` and `clients`, lists of rows with `name`."""

    async def operate(self, gateway: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do what the operator of a gateway asks."""

    async def decide(self, user: str, *, approve: bool) -> list[str]:
        """The user's word on the telephone; the RADIUS servers that asked."""


class Answer(NamedTuple):
    """What goes with `ok`, and the descriptors that go with the message: ours, or given away."""

    value: Any
    lent: tuple[int, ...] = ()
    given: tuple[int, ...] = ()
