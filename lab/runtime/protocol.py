"""The protocol of a lab's control socket: requests, answers and events, one JSON message each.

A request is `{"request": ..., ...}`. The answer is any number of `{"event": ..., ...}` and then
one `{"ok": ...}` or `{"error": {"message", "remedy", "code"}}`; `watch` never ends by itself. The
answers to `enter` and `namespaces` have descriptors (SCM_RIGHTS).

These are dataclasses because importing pydantic would take longer than building a lab of 50 nodes;
steps are validated before they are executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from lab.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lab.nodes.base import Node
    from lab.topology.model.steps import Step


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of building the lab has started or ended."""

    name: str
    state: Literal["started", "done", "failed"]
    began: float = 0.0
    """Seconds since the epoch."""
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A check or an action is done; `index` is its index in the list of steps."""

    index: int
    verb: str
    text: str
    held: bool
    detail: str
    seconds: float
    began: float = 0.0
    """Seconds since the epoch."""
    evidence: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] | None = None
    """Of a step that did not hold (lab.explain.model)."""


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


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Steps wait until those of another operator are done."""

    text: str
    """The first of the other's steps."""


Event = Stage | StepResult | Ready | Failed | Waiting
Emit = Callable[[Event], None]
_EVENTS: dict[str, type[Event]] = {
    "stage": Stage,
    "step": StepResult,
    "ready": Ready,
    "failed": Failed,
    "waiting": Waiting,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


def event_as_data(event: Event) -> dict[str, Any]:
    """An event as a message."""
    return {"event": _NAMES[type(event)], **asdict(event)}


def event_of(message: Mapping[str, Any]) -> Event:
    """The event in a message."""
    fields = dict(message)
    return _EVENTS[fields.pop("event")](**fields)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The lab's status."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """All past events, then each new one."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Execute steps (lab.topology.model.steps, as data), in order; whether all held. Nothing is
    executed if one of them is wrong: the answer is `{"problems": [...]}`."""

    steps: list[Any]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The topology's own `expect:`: its `file`; of each step `line`, `text` and `step` (data)."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of its `nodes`, `clients` and `gateways`, for completion."""


@dataclass(frozen=True, kw_only=True)
class Settle:
    """Write what the programs have logged so far into the journal (lab.runtime.journal)."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """The VPN client package (zip, base64) of a gateway, or the one for a client."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Enter:
    """The entrance to a node: `namespaces`, with their descriptors in the order of
    lab.runtime.enter.KINDS, or `agent`, with a connection to it (lab.guest.wire)."""

    node: str


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """Descriptors of the lab's user and mount namespaces, in that order."""


@dataclass(frozen=True, kw_only=True)
class Exec:
    """Run a program in a node to its end, within `limit` seconds."""

    node: str
    argv: list[str]
    input: str = ""
    limit: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Operate:
    """An operator's request to a gateway."""

    gateway: str
    action: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decide:
    """A user's answer to a second factor; allowed at any time, also while steps run."""

    user: str
    approve: bool


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Why a client, a host, a site or a connection is down; `to`: HOST:PORT to be reached; `size`:
    also by a packet of so many bytes."""

    subject: str
    to: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Down:
    """End the lab."""


Request = (
    Status | Watch | Run | Expected | Names | Settle | Package | Enter | Namespaces | Exec | Operate
    | Decide | Explain | Down
)  # fmt: skip
_REQUESTS: dict[str, type[Request]] = {
    "status": Status,
    "watch": Watch,
    "run": Run,
    "expected": Expected,
    "names": Names,
    "settle": Settle,
    "package": Package,
    "enter": Enter,
    "namespaces": Namespaces,
    "exec": Exec,
    "operate": Operate,
    "decide": Decide,
    "explain": Explain,
    "down": Down,
}


def request_of(message: Mapping[str, Any]) -> Request:
    """The request in a message; UsageError if this lab does not know it."""
    fields = dict(message)
    name = fields.pop("request", None)
    if name not in _REQUESTS:
        raise UsageError(f"no such request: {name}", f"one of: {', '.join(_REQUESTS)}")
    try:
        return _REQUESTS[name](**fields)
    except TypeError as error:
        raise UsageError(f"request {name}: {error}") from None


class Body(Protocol):
    """The lab that a supervisor builds and runs."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes that exist so far."""

    async def build(self, emit: Emit) -> None:
        """Build the lab; an exception means that it failed."""

    def checked(self, documents: Sequence[Any]) -> list[Step]:
        """Steps from data; StepsError with all problems."""

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        """Execute steps; whether all held."""

    def expected(self) -> dict[str, Any]:
        """The answer to Expected."""

    def names(self) -> dict[str, list[str]]:
        """The names of `clients` and `gateways`."""

    def settle(self) -> None:
        """Write what the programs have logged so far into the journal."""

    def own_logs(self) -> Iterable[Path]:
        """Logs in the nodes' files that no program of theirs keeps small."""

    async def package(self, name: str) -> bytes:
        """The VPN client package of a gateway or for a client."""

    async def status(self) -> dict[str, Any]:
        """At least `nodes` and `clients`, lists of rows with `name`."""

    async def operate(self, gateway: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Execute an operator's request to a gateway."""

    async def decide(self, user: str, *, approve: bool) -> list[str]:
        """Answer a user's second factor; the RADIUS servers that asked."""

    async def explain(self, subject: str, to: str, size: int) -> dict[str, Any]:
        """The answer to Explain."""


class Answer(NamedTuple):
    """The value of `ok`, and descriptors to send: `lent` ones stay open here, `given` ones not."""

    value: Any
    lent: tuple[int, ...] = ()
    given: tuple[int, ...] = ()
