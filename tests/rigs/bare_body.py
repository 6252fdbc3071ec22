"""What a lab.runtime.protocol.Body answers that has no topology, gateway or client.

Steps are imported when they are asked for: labs that are killed by the hundred need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.topology.model.steps import Step


class BareBody:
    """The part of a Body that small labs share."""

    def checked(self, documents: Sequence[Any]) -> list[Step]:
        from lab.topology.model.steps import Steps

        return Steps.validate_python(list(documents))

    def expected(self) -> dict[str, Any]:
        return {"file": "", "steps": []}

    def names(self) -> dict[str, list[str]]:
        return {"clients": [], "gateways": []}

    def settle(self) -> None:
        pass

    def own_logs(self) -> Iterable[Path]:
        return ()

    async def package(self, name: str) -> bytes:
        return name.encode()

    async def decide(self, user: str, *, approve: bool) -> list[str]:
        return [user, str(approve)]

    async def operate(self, gateway: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"value": [gateway, action, body]}
