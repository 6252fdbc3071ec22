"""Steps as sentences: those of reports, those that people type, and wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import UsageError
from lab.topology.model.steps import Steps, text_of
from lab.topology.reading.sentence import step_of

EVERY_WORD = yaml.safe_load((Path(__file__).parents[5] / "docs/every-word.yaml").read_text())


@pytest.mark.parametrize("document", EVERY_WORD["expect"], ids=str)
def test_what_a_report_says_of_a_step_is_that_step(document: dict[str, Any]) -> None:
    (step,) = Steps.validate_python([document])
    assert Steps.validate_python([step_of(text_of(step))]) == [step]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("bob reaches app1:80", {"reaches": "bob", "host": "app1", "port": 80}),
        ("bob reaches 10.1.1.4:80", {"reaches": "bob", "address": "10.1.1.4", "port": 80}),
        ("bob reaches dns1:udp/53",
         {"reaches": "bob", "host": "dns1", "port": 53, "protocol": "udp"}),
        ("bob connects within 99999999999999", {"connects": "bob", "within": 99999999999999}),
        ("bob reaches app1 protocol icmp",
         {"reaches": "bob", "host": "app1", "protocol": "icmp"}),
        ("bob cannotReach app1:80", {"cannotReach": "bob", "host": "app1", "port": 80}),
        ("alice no cleartext app1", {"noCleartext": "alice", "host": "app1"}),
        ("alice resolves app1.contoso.internal",
         {"resolves": "alice", "name": "app1.contoso.internal"}),
        ("hangUp alice", {"hangUp": "alice"}),
        ("  hang   up alice ", {"hangUp": "alice"}),
        ("bob refused says '691 within reason' over SSTP",
         {"refused": "bob", "says": "691 within reason", "over": "SSTP"}),
        ("{reaches: bob, host: app1, port: 80}", {"reaches": "bob", "host": "app1", "port": 80}),
        ('update gw properties {"a": {"b": "c d"}}',
         {"update": "gw", "properties": {"a": {"b": "c d"}}}),
        ("revoke within", {"revoke": "within"}),
    ],
)  # fmt: skip
def test_a_sentence_is_a_step(text: str, step: dict[str, Any]) -> None:
    assert step_of(text) == step


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("bob reachs app1:80", "has no word of `expect:`", "did you mean 'reaches'?"),
        ("revok alice", "has no word of `expect:`", "did you mean 'revoke'?"),
        ("", "has no word of `expect:`", "write it like"),
        ("revoke", "names nobody", "write it like"),
        ("alice connects ovr IkeV2", "connects has no 'ovr'", "did you mean 'over'?"),
        ("alice connects over", "'over' has no value", "write it like"),
        ("alice connects over SSTP over IkeV2", "'over' is given twice", "once"),
        ("alice reaches app1:80 port 81", "'port' is given twice", "once"),
        ("alice reaches app1:http", "'http' is not the number of a port", "write it like app1:80"),
        ("alice reaches app1:", "'' is not the number of a port", "write it like app1:80"),
        ("alice reaches http://app1/", "'http://app1/' is a URL", "like app1:80"),
        ("hang up alice bob", "hangUp has no 'bob'", "there are none"),
        ("update gw properties {a: 1}", "not JSON", '{"key": 1}'),
        ("{reaches: bob", "not YAML", "brackets"),
        ("{reaches: bob, reaches: alice}", "given twice", "keep one"),
    ],
)
def test_a_wrong_sentence_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        step_of(text)
    assert message in refused.value.message
    assert remedy in str(refused.value.remedy)
