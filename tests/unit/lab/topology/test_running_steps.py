"""Steps for a running lab, as data and in files: checked as those of a topology are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.topology.load import checked_steps, load, load_mapping, load_steps
from lab.topology.model.topology import Topology
from lab.topology.reading.azure import take
from lab.topology.reading.document import read
from lab.topology.reading.problems import LoadError, StepsError

SOURCE = Path(__file__).parents[4]
EVERY_WORD = Topology.model_validate(
    take(read((SOURCE / "docs/every-word.yaml").read_text()), "", SOURCE / "docs").data
)
QUICKSTART = load(SOURCE / "topologies/quickstart.yaml").topology


def test_every_word_is_accepted_at_any_time() -> None:
    """Also the end of a fault that no earlier step of the list began."""
    for step in EVERY_WORD.expect:
        document = step.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert checked_steps(EVERY_WORD, [document]) == [step]


@pytest.mark.parametrize(
    ("step", "message", "remedy"),
    [
        ({"connects": "alise"}, "there is no client 'alise'", "did you mean 'alice'?"),
        ({"connects": "bob", "over": "SSTP"}, "'bob' cannot dial SSTP", "dials"),
        ({"connects": "bob", "over": "SSPT"}, "'SSPT' is not known here", "did you mean 'SSTP'?"),
        ({"reaches": "bob", "host": "app1"}, "TCP needs a port", "port: 80"),
        ({"reaches": "bob", "host": "app9", "port": 80}, "there is no node 'app9'", "app1"),
        ({"update": "gw", "properties": {}}, "there is no gateway 'gw'", "contoso-gw"),
        ({"update": "contoso-gw", "properties": {"a": "${x.thumbprint}"}}, "'x'", ""),
        ({"connectz": "bob"}, "unknown step 'connectz'", "did you mean 'connects'?"),
        ({"connects": "bob", "ovr": "SSTP"}, "unknown key 'ovr'", "did you mean 'over'?"),
        ({"reaches": "bob", "host": "app1", "port": 99999}, "`port`: must be at most 65535", ""),
        ({"reaches": "bob", "host": "app1", "port": "x"}, "`port`: must be a whole number", ""),
        (
            {"connects": "bob", "within": "10 minutes"},
            "`within`: '10 minutes' is not a number of seconds, at most 3600",
            "write it like 10",
        ),
        ({"connects": "bob", "within": 10**14}, "is not a number of seconds, at most 3600", ""),
        ({"connects": "bob", "within": True}, "`within`: True is not a number of seconds", ""),
        ({"throughput": "bob", "host": "app1", "for": "2h"}, "`for`: '2h' is not a time", "20s"),
        ({"connects": ["bob"]}, "`connects`: must be text, not a list", ""),
        ("bob", "a step must be a mapping", "{connects: alice"),
        ({"fault": "s2s-cut"}, "there is no connection", "add a connection"),
        ({"fault": "radius-slow"}, "radius-slow needs a delay", "(--by 5s)"),
        ({"approve": "bob"}, "no RADIUS server asks", "secondFactor"),
    ],
)
def test_a_wrong_step_is_refused(step: Any, message: str, remedy: str) -> None:
    with pytest.raises(StepsError) as refused:
        checked_steps(QUICKSTART, [step])
    assert message in str(refused.value)
    assert remedy in str(refused.value)


def test_every_problem_of_every_step_is_reported_in_one_round() -> None:
    steps = [
        {"connects": "x"},
        {"connects": "bob", "within": -1},
        {"hangUp": "bob"},
        {"revoke": "y"},
    ]
    with pytest.raises(StepsError) as refused:
        checked_steps(QUICKSTART, steps)
    assert [problem.path for problem in refused.value.problems] == [
        (0, "connects"), (1, "within"), (3, "revoke"),
    ]  # fmt: skip
    assert str(refused.value).splitlines()[2].startswith("step 4: there is no client 'y'")


def test_what_the_gateway_offers_is_its_own_affair() -> None:
    """An operator may have changed the file's document since."""
    properties = {"vpnClientConfiguration": {"vpnClientProtocols": ["SSTP"]}}
    steps = [{"connects": "alice", "over": "OpenVPN"},
             {"update": "contoso-gw", "properties": properties}]  # fmt: skip
    assert len(checked_steps(QUICKSTART, [steps[0]])) == 1
    assert len(checked_steps(QUICKSTART, steps)) == 2


@pytest.mark.parametrize("head", ["", "expect:\n"])
def test_a_file_of_steps_has_places(head: str, tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    file.write_text(f"{head}- {{connects: alice}}\n- bob reaches app9:80\n- {{revoke: alise}}\n")
    read = load_steps(file)
    first = 2 if head else 1
    assert read.places == [f"{file}:{first + n}" for n in range(3)]
    with pytest.raises(StepsError) as refused:
        checked_steps(QUICKSTART, read.steps)
    assert [str(one).split(";")[0] for one in read.refused(refused.value).problems] == [
        f"{file}:{first + 1}:3: there is no node 'app9'",
        f"{file}:{first + 2}:12: there is no client 'alise'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the file is empty"),
        ("[]", "1:1: a file of steps must be a list of steps"),
        ("name: x\nexpect: [{connects: alice}]", "1:1: a file of steps must be a list of steps"),
        ("expect: alice", "1:9: a file of steps must be a list of steps"),
        ("- alice conects\n- revok bob", "2:3: 'revok bob' has no word"),
        ("- {a: 1, a: 2}", "1:10: key 'a' is given twice"),
    ],
)
def test_a_file_without_steps_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    file.write_text(text)
    with pytest.raises(LoadError) as refused:
        load_steps(file)
    assert f"{file}:{message}" in str(refused.value)


def test_properties_are_a_mapping() -> None:
    assert load_mapping(b"{a: [1]}", "PROPERTIES") == {"a": [1]}
    for text in (b"a", b"[a]", b"{a: 1", b"", b"{a: 1, a: 2}", b"\xff"):
        with pytest.raises(LoadError, match="PROPERTIES:1:"):
            load_mapping(text, "PROPERTIES")
    with pytest.raises(LoadError, match=r"empty; write it like \{key: value\}"):
        load_mapping(b"", "PROPERTIES")
