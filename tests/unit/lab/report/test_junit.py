"""JUnit XML of verdicts: in order by both public schemas, and true."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from lab.errors import MACHINE
from lab.report.junit import junit
from lab.runtime.protocol import Failed
from tests.rigs.junit_schema import flaws
from tests.rigs.played import played


def xml(*documents: dict[str, Any]) -> Element:
    root = fromstring(junit(documents))
    assert flaws(root) == []
    return root


def test_each_step_is_a_case_and_the_counts_are_true() -> None:
    _, office = played("office", failed=(2, 8))
    _, quickstart = played("quickstart")
    root = xml(office.as_data(), quickstart.as_data())
    assert [suite.get("name") for suite in root] == ["office", "quickstart"]
    for suite, verdict in zip(root, (office, quickstart), strict=True):
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases)) == str(verdict.expected)
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert (root.get("tests"), root.get("failures")) == ("36", "2")
    names = [case.get("name") for case in root[0].findall("testcase")]
    assert len(names) == len(set(names))


def test_a_failure_has_its_place_what_was_seen_and_why() -> None:
    _, verdict = played("office", failed=(2,), words="no <answer> & ]]> came")
    (failed,) = xml(verdict.as_data()).iter("failure")
    assert failed.get("message") == "no <answer> & ]]> came"
    rows = (failed.text or "").split("\n")
    assert rows[1] == f"{verdict.file}:67: alice connects over IkeV2 radius head-office-radius"
    assert "    change: let out udp/500" in rows
    assert "  not reached: tls" in rows


def test_a_lab_that_was_not_built_is_an_error_and_its_steps_are_skipped() -> None:
    _, verdict = played("quickstart")
    verdict.results.clear()
    verdict.add(Failed(message="no TUN", remedy="modprobe tun", code=MACHINE))
    (suite,) = xml(verdict.as_data())
    assert (suite.get("errors"), suite.get("skipped"), suite.get("tests")) == ("1", "21", "22")
    (error,) = suite.iter("error")
    assert (error.get("type"), error.get("message")) == ("exit code 3", "no TUN")
    assert "try: modprobe tun" in (error.text or "")


def test_steps_of_one_text_are_told_apart() -> None:
    _, verdict = played("office")
    document = verdict.as_data()
    document["steps"] = [document["steps"][0]] * 3
    names = [case.get("name") for case in xml(document).iter("testcase")]
    assert [name.removeprefix(names[0]) for name in names if name and names[0]] == [
        "",
        " (2)",
        " (3)",
    ]


def test_what_xml_forbids_is_not_in_it() -> None:
    _, verdict = played("office", failed=(2,), words="a\x00b\x1bc\ud800d\ufffee")
    (failed,) = xml(verdict.as_data()).iter("failure")
    assert failed.get("message") == "a?b?c?d?e"


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("<suite/>", "the root is suite"),
        ('<testsuites><testsuite name="a" tests="1" failures="0" errors="0"/></testsuites>',
         "testsuite lacks skipped"),
        ('<testsuites><testcase name="a" time="1"/></testsuites>', "testsuites has children"),
        ('<testsuite name="a" tests="x" failures="0" errors="0" skipped="0"/>',
         "tests of testsuite"),
        ('<testsuites time="1.2345"/>', "time of testsuites"),
        ('<testsuites file="a"/>', "testsuites has no attribute file"),
        ("<testsuites>words</testsuites>", "testsuites has text"),
    ],
)  # fmt: skip
def test_the_rule_sees_what_is_wrong(text: str, flaw: str) -> None:
    assert any(found.startswith(flaw) for found in flaws(fromstring(text)))
