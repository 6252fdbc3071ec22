"""Faults of a topology: where they are refused, and with which message."""

from __future__ import annotations

import pytest

from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import SOUND, check, problems

SITES = """\
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {to: contoso-gw, sharedKey: a}
    radius: {address: 192.168.50.10, users: {alice: {password: secret}}}
  branch:
    lan: 192.168.60.0/24
    connection: {to: contoso-gw, sharedKey: b}
faults:
  - {fault: s2s-cut, at: branch, after: 5s, for: 500ms}
access:
"""
WITH_FAULTS = SOUND.replace("access:\n", SITES)
STEP = "{reaches: alice, host: app1, port: 80}"


def with_step(*steps: str) -> str:
    return WITH_FAULTS.replace(STEP, "\n  - ".join(steps))


def test_timed_and_ordered_faults_are_accepted() -> None:
    (fault,) = check(WITH_FAULTS).faults
    assert (fault.after, fault.seconds) == (5, 0.5)
    text = with_step("{fault: radius-slow, by: 5s}", "{endFault: radius-slow}", STEP)
    plan = plan_of(text)
    assert [fault.fault for fault in plan.faults] == ["s2s-cut"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{fault: s2s-broken}", "`fault`: 's2s-broken' is not known here"),
        ("{fault: s2s-wrong-psk}",
         "there are 2, each a site with a connection; name one with `at` (--at): "),
        ("{fault: s2s-wrong-psk, at: brunch}", "there is no site with a connection 'brunch'"),
        ("{fault: directory-down}", "there is no site with a directory"),
        ("{fault: one-server-dead}", "there is no second RADIUS server"),
        ("{fault: radius-down, at: branch}", "there is no RADIUS server 'branch'"),
        ("{fault: radius-slow}", "radius-slow needs a delay"),
        ("{fault: radius-down, by: 5s}", "radius-down has no delay"),
        ("{fault: radius-down, for: soon}", "`for`: 'soon' is not a time"),
        ("{fault: radius-down, for: 2h}", "`for`: '2h' is not a time"),
        ("{endFault: radius-down}", "radius-down has not begun"),
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(step: str, words: str) -> None:
    [(line, _, said)] = problems(with_step(step))
    assert line == WITH_FAULTS[: WITH_FAULTS.index(STEP)].count("\n") + 1
    assert said.startswith(words)


def test_a_fault_cannot_begin_twice() -> None:
    [(_, _, said)] = problems(with_step("{fault: radius-down}", "{fault: radius-down}"))
    assert said.startswith("radius-down is already active")
