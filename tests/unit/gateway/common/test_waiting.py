"""The gateway's wait: OSError alone means `not yet`, and the limit is the clock's."""

from __future__ import annotations

import pytest

from gateway.common.waiting import Poll, wait_until


async def test_the_first_true_answer_is_returned() -> None:
    answers = iter([None, 0, "", "yes"])
    assert await wait_until("a yes", 60, lambda: next(answers)) == "yes"


async def test_a_limit_that_is_over_still_asks_once_and_tells_what_was_seen() -> None:
    asked: list[int] = []

    def probe() -> None:
        asked.append(1)
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(TimeoutError, match=r"the door: not within 0 s; last seen: nobody listens"):
        await wait_until("the door", 0, probe)
    assert asked == [1]


async def test_any_other_exception_ends_the_wait() -> None:
    def probe() -> None:
        raise LookupError("a fault")

    with pytest.raises(LookupError, match="a fault"):
        await wait_until("nothing", 60, probe)


async def test_what_means_not_yet_is_the_callers_choice() -> None:
    answers = iter([LookupError("not there"), "there"])

    def probe() -> str:
        answer = next(answers)
        if isinstance(answer, LookupError):
            raise answer
        return answer

    poll = Poll(probe, (LookupError,))
    assert await poll.answer() == "there"
    assert poll.seen == "not there"
