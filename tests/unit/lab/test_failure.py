from __future__ import annotations

import errno

import pytest

from lab.errors import LabError, MachineError, UsageError
from lab.failure import REPORT, cause, raised, told
from lab.vpn_client import RefusedError


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


def noted(error: Exception) -> Exception:
    error.add_note("in node alice")
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), "a fault of ours: 'x'"),
        (ModuleNotFoundError("No module named 'lab'"), "a fault of ours: No module named 'lab'"),
        (AssertionError(), "a fault of ours"),
        (TimeoutError("10 answers: not within 15 s"), "10 answers: not within 15 s"),
        (TimeoutError(), "a fault of ours"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (RefusedError("IkeV2", "refused", "no", 0.1), "IkeV2: no"),
        (UsageError("s2s-cut is not there"), "s2s-cut is not there"),
        (ExceptionGroup("unhandled errors", [ValueError("x")]), "a fault of ours: x"),
        (noted(PermissionError(1, "Operation not permitted")),
         "Operation not permitted\nin node alice"),
        (noted(KeyError("x")), "a fault of ours: 'x'\nin node alice"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_python_s_names_are_not_told(error: Exception, message: str) -> None:
    failure = told(error)
    assert failure["message"] == message
    assert type(cause(error)).__name__ not in str(failure)
    ours = message.startswith("a fault of ours")
    assert (failure["remedy"] == REPORT) is ours
