from __future__ import annotations

import errno

import pytest

from lab.errors import LabError, MachineError, UsageError
from lab.runtime.failure import raised, told


@pytest.mark.parametrize("kind", [LabError, UsageError, MachineError])
def test_what_was_written_for_a_person_arrives_as_it_was(kind: type[LabError]) -> None:
    error = raised(told(kind("what happened", "what to try")))
    assert type(error) is kind
    assert (error.message, error.remedy) == ("what happened", "what to try")


def test_of_many_failures_side_by_side_the_one_for_a_person_is_told() -> None:
    group = ExceptionGroup(
        "unhandled errors",
        [TimeoutError("no"), ExceptionGroup("inner", [ValueError("x"), UsageError("a word")])],
    )
    assert told(group)["message"] == "a word"


def test_a_full_disk_is_the_machine_s_lack() -> None:
    failure = told(OSError(errno.ENOSPC, "No space left on device", "/run/x"))
    assert failure == {
        "message": "/run/x: No space left on device",
        "remedy": "free some space",
        "code": 3,
    }


def test_a_fault_of_ours_is_told_with_its_kind_and_notes() -> None:
    error = KeyError("x")
    error.add_note("in node alice")
    assert told(error) == {
        "message": "KeyError: 'x'\nin node alice",
        "remedy": None,
        "code": 4,
    }
