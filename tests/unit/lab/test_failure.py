from __future__ import annotations

import errno

import pytest

from lab.errors import LabError, MachineError, UsageError
from lab.failure import REPORT, cause, error_report, exception_of
from lab.vpn_client import RefusedError


@pytest.mark.parametrize("kind", [LabError, UsageError, MachineError])
def test_an_error_written_for_people_arrives_unchanged(kind: type[LabError]) -> None:
    error = exception_of(error_report(kind("what happened", "what to try")))
    assert type(error) is kind
    assert (error.message, error.remedy) == ("what happened", "what to try")


def test_of_a_group_the_error_written_for_people_is_reported() -> None:
    group = ExceptionGroup(
        "unhandled errors",
        [TimeoutError("no"), ExceptionGroup("inner", [ValueError("x"), UsageError("a word")])],
    )
    assert error_report(group)["message"] == "a word"


def test_a_full_disk_is_a_machine_error() -> None:
    failure = error_report(OSError(errno.ENOSPC, "No space left on device", "/run/x"))
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
        (KeyError("x"), "a bug in p2slab: 'x'"),
        (ModuleNotFoundError("No module named 'lab'"), "a bug in p2slab: No module named 'lab'"),
        (AssertionError(), "a bug in p2slab"),
        (TimeoutError("10 answers: not within 15 s"), "10 answers: not within 15 s"),
        (TimeoutError(), "a bug in p2slab"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (RefusedError("IkeV2", "refused", "no", 0.1), "IkeV2: no"),
        (UsageError("s2s-cut is not active"), "s2s-cut is not active"),
        (ExceptionGroup("unhandled errors", [ValueError("x")]), "a bug in p2slab: x"),
        (noted(PermissionError(1, "Operation not permitted")),
         "Operation not permitted\nin node alice"),
        (noted(KeyError("x")), "a bug in p2slab: 'x'\nin node alice"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_exception_class_names_are_not_reported(error: Exception, message: str) -> None:
    failure = error_report(error)
    assert failure["message"] == message
    assert type(cause(error)).__name__ not in str(failure)
    ours = message.startswith("a bug in p2slab")
    assert (failure["remedy"] == REPORT) is ours
