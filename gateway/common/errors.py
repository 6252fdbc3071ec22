"""Errors that reach the caller of the gateway's API, in Azure's error format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class GatewayError(Exception):
    """An error for the caller; `code` and `status` (HTTP) are part of the API's answer.

    `what`: what happened; `said`: the message of a program or the kernel. `message` has both.
    """

    code = "InternalServerError"
    status = 500

    def __init__(
        self, what: str, details: Sequence[Detail] = (), *, said: str | None = None
    ) -> None:
        self.what = what
        self.said = said or ""
        self.message = f"{what}: {said}" if said is not None else what
        super().__init__(self.message)
        self.details = tuple(details)

    def document(self) -> dict[str, Any]:
        """Azure's error document."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = [detail.document() for detail in self.details]
        return {"error": error}


class Detail:
    """One thing that is wrong: where (`target`, a path into the document) and why."""

    def __init__(self, code: str, message: str, target: str, source: str = "") -> None:
        """`source`: who refuses it, Azure by a document of its own or this lab."""
        self.code = code
        self.message = message
        self.target = target
        self.source = source

    def document(self) -> dict[str, Any]:
        """The entry in Azure's `details`; the source is ARM's additionalInfo."""
        entry: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "target": self.target,
        }
        if self.source:
            entry["additionalInfo"] = [{"type": "source", "info": {"source": self.source}}]
        return entry


class InvalidDocumentError(GatewayError):
    """The document is refused; the running state has not changed."""

    code = "InvalidRequestFormat"
    status = 400


class NotFoundError(GatewayError):
    """The resource does not exist."""

    code = "ResourceNotFound"
    status = 404


class EngineError(GatewayError):
    """A daemon does not start or refuses a command; the message quotes it."""

    code = "EngineFailed"


class FenceError(GatewayError):
    """The kernel refuses a change of the fence; the message quotes it."""

    code = "FenceFailed"


class LapsedError(GatewayError):
    """A peer's reservation expired before its session opened."""


class StorageError(GatewayError):
    """The state directory cannot be written."""

    code = "StorageFailed"
