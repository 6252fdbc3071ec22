"""The document of `verify --json` and of a report's `report.json`, as JSON Schema."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict  # pydantic wants this one on Python 3.11

from lab.explain.model import Layer, State
from lab.report.verdict import FORMAT

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(_CLOSED)
class FindingDocument(TypedDict):
    """What is known of a layer. Keys without a value are left out."""

    layer: Layer
    state: State
    seen: NotRequired[str]
    """What was looked at, and what it said."""
    cause: NotRequired[str]
    """Of a failed layer: a sentence."""
    proof: NotRequired[list[str]]
    """A rule, a packet, a log line, or two values that differ."""
    remedy: NotRequired[str]
    """What to change."""
    at: NotRequired[str]
    """UTC, ISO 8601."""


@with_config(_CLOSED)
class ChainDocument(TypedDict):
    """The layers of one way: a protocol's dial, a probe, a tunnel."""

    way: str
    layers: list[FindingDocument]


@with_config(_CLOSED)
class ExplanationDocument(TypedDict):
    """Why a step did not hold."""

    subject: str
    """The node that it is about."""
    layer: NotRequired[Layer]
    """The failed layer that matters, if any failed."""
    sentence: str
    chains: list[ChainDocument]
    at: str
    """UTC, ISO 8601."""


@with_config(_CLOSED)
class StageDocument(TypedDict):
    """A stage of building the lab."""

    name: str
    state: Literal["done", "failed"]
    began: float
    """Seconds since the epoch."""
    seconds: float | None
    detail: str


@with_config(_CLOSED)
class StepDocument(TypedDict):
    """A step of `expect:`, carried out or not."""

    line: int
    """In the file, from 1."""
    text: str


@with_config(_CLOSED)
class ResultDocument(TypedDict):
    """What came of a step."""

    place: str
    """FILE:LINE."""
    index: int
    """In `steps`, from 0."""
    verb: str
    """The word of `expect:`."""
    text: str
    held: bool
    detail: str
    """What was seen."""
    seconds: float
    began: float
    """Seconds since the epoch."""
    evidence: dict[str, Any]
    """What programs and logs said, by where it is from."""
    explanation: ExplanationDocument | None
    """Of a step that did not hold."""


@with_config(_CLOSED)
class CellDocument(TypedDict):
    """The dials of one client system over one protocol."""

    system: str
    protocol: str
    authentication: str
    outcomes: list[str]


@with_config(_CLOSED)
class WarningDocument(TypedDict):
    """A warning about the topology."""

    file: str
    line: int
    column: int
    message: str
    remedy: str


@with_config(_CLOSED)
class FailureDocument(TypedDict):
    """Why the lab could not be built, or ended."""

    message: str
    remedy: str | None
    code: int
    """The exit code."""


@with_config(_CLOSED)
class VerdictDocument(TypedDict):
    """The verdict on one topology."""

    version: int
    """Of this format: another one has keys less, or of another meaning."""
    topology: str
    """The lab's name."""
    file: str
    story: str
    held: bool
    exitCode: int
    began: str
    """UTC, ISO 8601."""
    seconds: float
    warnings: list[WarningDocument]
    stages: list[StageDocument]
    steps: list[StepDocument]
    """All that is expected, in the order of the file."""
    results: list[ResultDocument]
    """Of the steps that were carried out, in the same order."""
    systems: list[CellDocument]
    engines: list[dict[str, Any]]
    """The gateways' engines with their datapaths."""
    benchmarks: list[dict[str, Any]]
    """Gateways that let a part of their SKU's throughput pass: `gateway`, `scale`, and `mbps`, the
    Mbit/s when the lab was built."""
    clients: list[dict[str, Any]]
    """The clients with their kernels."""
    memory: dict[str, Any]
    """Bytes, by program."""
    machine: list[str]
    """Remarks about the machine that ran the lab."""
    logs: str | None
    """The directory of the lab's logs."""
    failure: FailureDocument | None


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a list of verdicts, one for each file."""
    rules = TypeAdapter(list[VerdictDocument]).json_schema()
    rules["$defs"]["VerdictDocument"]["properties"]["version"]["const"] = FORMAT
    title = "Verdicts of p2slab"
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": title, **rules}
