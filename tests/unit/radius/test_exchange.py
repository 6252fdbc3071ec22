"""What is sent when and to whom, and which answer belongs to which request; time is a number."""

from __future__ import annotations

import os

import pytest

from radius.exchange import Question, Questions
from radius.packet import Request, Server
from radius.schedule import in_order, schedule
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, REJECT, SECRET

ONE, TWO = Server("192.0.2.1", SECRET, 30), Server("192.0.2.2", b"another", 1)
REQUEST = Request([("User-Name", b"alice")])


@pytest.fixture
def questions() -> Questions:
    return Questions(os.urandom)


def test_the_higher_score_comes_first_and_equal_ones_as_they_stand() -> None:
    equal = Server("192.0.2.3", SECRET, 1)
    assert in_order([TWO, equal, ONE]) == [ONE, TWO, equal]


def test_one_server_is_asked_again_at_growing_distances_until_the_end() -> None:
    assert [at for at, _ in schedule([ONE])] == [0, 1, 3, 7, 15]
    assert schedule([]) == []


def test_the_second_server_is_asked_when_the_first_has_been_silent_for_ten_seconds() -> None:
    plan = schedule([ONE, TWO])
    assert [at for at, server in plan if server is ONE] == [0, 1, 3, 7]
    assert [at for at, server in plan if server is TWO] == [10, 11, 13, 17, 25]
    assert [at for at, server in schedule([ONE, TWO], 6) if server is TWO] == [3, 4]


def test_a_retransmission_is_the_same_bytes(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE], 100.0)
    first = questions.tick(question, 100.0)
    assert questions.tick(question, 100.9) == []
    assert questions.tick(question, 101.0) == first
    assert question.wakes == 103.0


def test_each_server_gets_a_request_for_its_own_secret(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE, TWO], 0.0)
    (to_one, _), *_ = questions.tick(question, 0.0)
    (to_two, address), *_ = questions.tick(question, 12.0)[-1:]
    assert address == ("192.0.2.2", 1812)
    assert servers.is_signed(to_one, SECRET)
    assert servers.is_signed(to_two, b"another")


def test_a_late_answer_of_the_first_server_still_counts(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE, TWO], 0.0)
    (to_one, address), *_ = questions.tick(question, 0.0)
    questions.tick(question, 11.0)
    assert questions.receive(servers.reply(to_one, ACCEPT), address) is question
    assert question.answered_by is ONE


def test_a_second_answer_is_unasked(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE], 0.0)
    (request, address), *_ = questions.tick(question, 0.0)
    assert questions.receive(servers.reply(request, REJECT), address) is question
    assert questions.receive(servers.reply(request, ACCEPT), address) == "unasked"
    assert question.answer is not None
    assert question.answer.kind == "reject"


def test_an_answer_from_another_address_or_port_changes_nothing(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE], 0.0)
    (request, _), *_ = questions.tick(question, 0.0)
    answer = servers.reply(request, ACCEPT)
    assert questions.receive(answer, ("192.0.2.9", 1812)) == "wrong-address"
    assert questions.receive(answer, ("192.0.2.1", 1813)) == "wrong-address"
    assert question.answer is None


def test_flawed_answers_do_not_keep_the_right_one_away(questions: Questions) -> None:
    question = questions.ask(REQUEST, [ONE], 0.0)
    (request, address), *_ = questions.tick(question, 0.0)
    for _ in range(5):
        wrong = servers.reply(request, ACCEPT, secret=b"wrong")
        assert questions.receive(wrong, address) == "authenticator"
    assert questions.receive(b"", address) == "unasked"
    assert questions.receive(servers.reply(request, ACCEPT), address) is question
    assert question.flaws == {"authenticator": 5}


def test_open_questions_have_identifiers_of_their_own_and_no_more_than_256(
    questions: Questions,
) -> None:
    seen = set()
    for _ in range(256):
        assert not questions.full
        question = questions.ask(REQUEST, [ONE], 0.0)
        (request, _), *_ = questions.tick(question, 0.0)
        seen.add(request[1])
    assert len(seen) == 256
    assert questions.full
    questions.forget(question)
    assert not questions.full
    again = questions.ask(REQUEST, [ONE], 0.0)
    assert questions.tick(again, 0.0)[0][0][1] == request[1]


def test_an_answer_to_a_forgotten_question_is_not_its_successors(questions: Questions) -> None:
    """The identifier is reused, the authenticator is not."""
    identifier: dict[int, bytes] = {}
    late: Question | str = "unasked"
    for _ in range(257):
        question = questions.ask(REQUEST, [ONE], 0.0)
        (request, address), *_ = questions.tick(question, 0.0)
        if request[1] in identifier:
            late = questions.receive(servers.reply(identifier[request[1]], ACCEPT), address)
        identifier[request[1]] = request
        questions.forget(question)
    assert late == "authenticator"
