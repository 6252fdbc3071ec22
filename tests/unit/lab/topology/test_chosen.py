"""The choice of steps by words and numbers."""

from __future__ import annotations

import pytest

from lab.errors import UsageError
from lab.topology.chosen import chosen

TEXTS = ["alice connects over IkeV2", "alice reaches host app1 port 80", "bob connects"]


@pytest.mark.parametrize(
    ("words", "numbers", "indices"),
    [
        (None, (), [0, 1, 2]),
        ("connects", (), [0, 2]),
        ("IKEV2 alice", (), [0]),
        (None, ("3", "1"), [0, 2]),
        (None, ("2-3",), [1, 2]),
        ("connects", ("2-3",), [2]),
    ],
)
def test_steps_are_chosen(words: str | None, numbers: tuple[str, ...], indices: list[int]) -> None:
    assert chosen(TEXTS, words, numbers) == indices


@pytest.mark.parametrize(
    ("words", "numbers", "message"),
    [
        ("carol", (), "no step has the words 'carol'"),
        ("", (), "no step has the words ''"),
        ("bob", ("1",), "no step has the words 'bob'"),
        *((None, (number,), f"there is no step {number}")
          for number in ("0", "4", "2-9", "3-2", "x", "-1", "1-", "1" * 40)),
    ],
)  # fmt: skip
def test_a_choice_of_nothing_is_refused(
    words: str | None, numbers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(TEXTS, words, numbers)
    assert refused.value.message == message
    assert refused.value.remedy
