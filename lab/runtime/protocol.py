"""What is said over a lab's control socket: requests, answers and events, one JSON message each.

A request is `{"request": ..., ...}`. It is answered by any number of `{"event": {...}}` and then
one `{"ok": ...}` or `{"error": {"message", "remedy", "code"}}`; `watch` has no end of its own.
`enter` and `namespaces` carry descriptors with their answer (SCM_RIGHTS).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter

from lab.nodes.namespace import NamespaceNode
from lab.topology.steps import Step


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Message):
    """A part of the building starts or ends."""

    event: Literal["stage"] = "stage"
    name: str
    state: Literal["started", "done", "failed"]
    seconds: float | None = None
    detail: str = ""


class StepResult(_Message):
    """A check or an action is done; `index` is its place in the list of steps."""

    event: Literal["step"] = "step"
    index: int
    verb: str
    text: str
    held: bool
    detail: str
    seconds: float
    evidence: dict[str, Any] = Field(default_factory=dict)


class Ready(_Message):
    """The lab is built, `seconds` after its start."""

    event: Literal["ready"] = "ready"
    seconds: float


class Failed(_Message):
    """The lab could not be built; `code` is the exit code."""

    event: Literal["failed"] = "failed"
    message: str
    remedy: str | None = None
    code: int


Event = Stage | StepResult | Ready | Failed
Emit = Callable[[Event], None]
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Discriminator("event")])


class Status(_Message):
    """What the lab is and how it does."""

    request: Literal["status"]


class Watch(_Message):
    """All events from the beginning, then each as it happens."""

    request: Literal["watch"]


class Run(_Message):
    """Carry out steps, in order; whether all held."""

    request: Literal["run"]
    steps: list[Step]


class Enter(_Message):
    """Descriptors of a node's namespaces, in the order of lab.runtime.enter.KINDS."""

    request: Literal["enter"]
    node: str


class Namespaces(_Message):
    """Descriptors of the lab's own user and mount namespaces, in that order."""

    request: Literal["namespaces"]


class Exec(_Message):
    """Run a program in a node to its end, within `limit` seconds."""

    request: Literal["exec"]
    node: str
    argv: Annotated[list[str], Field(min_length=1)]
    input: str = ""
    limit: float = 30.0


class Operate(_Message):
    """What a gateway's operator does."""

    request: Literal["operate"]
    gateway: str
    action: str
    body: dict[str, Any] = Field(default_factory=dict)


class Down(_Message):
    """End the lab."""

    request: Literal["down"]


Request = Status | Watch | Run | Enter | Namespaces | Exec | Operate | Down
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Discriminator("request")])


class Body(Protocol):
    """What a supervisor supervises."""

    @property
    def nodes(self) -> Mapping[str, NamespaceNode]:
        """The computers that exist by now."""

    async def build(self, emit: Emit) -> None:
        """Build it all; an exception means that the lab failed."""

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        """Carry out steps; whether all held."""

    async def status(self) -> dict[str, Any]:
        """At least `nodes` and `clients`, lists of rows with `name`."""

    async def operate(self, gateway: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do what the operator of a gateway asks."""
