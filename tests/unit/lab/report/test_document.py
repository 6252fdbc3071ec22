"""The document of `verify --json` and of reports fits its published schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import OURS
from lab.report.verdict import as_json
from lab.runtime.protocol import Failed
from tests.rigs.json_schema import Schema
from tests.rigs.played import played

PUBLISHED = Path(__file__).parents[4] / "docs/report.schema.json"
flaws = Schema(json.loads(PUBLISHED.read_text())).flaws


@pytest.mark.parametrize("failed", [(), (0, 5)])
def test_every_verdict_fits(failed: tuple[int, ...]) -> None:
    verdicts = [played(name, failed)[1] for name in ("office", "personas", "throughput")]
    verdicts[0].add(Failed(message="x", code=OURS))
    verdicts[1].lab = {"engines": [{"gateway": "x", "protocol": "y", "datapath": "z"}],
                        "benchmarks": [{"gateway": "x", "scale": 0.1, "mbps": 65.0}]}  # fmt: skip
    assert flaws(json.loads(as_json([verdict.as_data() for verdict in verdicts]))) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("version", 2, "not 1"),
        ("surprise", 1, "unknown key"),
        ("held", "yes", "not of type boolean"),
    ],
)
def test_another_document_does_not_fit(key: str, value: object, said: str) -> None:
    document = json.loads(as_json([played("office")[1].as_data()]))
    document[0][key] = value
    assert any(said in flaw for flaw in flaws(document))


def test_results_have_their_places_and_times() -> None:
    _, verdict = played("office", failed=(2,))
    document = verdict.as_data()
    assert document["results"][2]["place"] == f"{verdict.file}:67"
    assert document["steps"][2]["line"] == 67
    assert document["results"][2]["explanation"]["layer"] == "firewall"
    assert document["began"] == "2027-01-15T08:00:00.000+00:00"
