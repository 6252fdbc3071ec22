"""Looking because of a dial that failed; what looks is a stand-in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lab.checks import records
from lab.explain import look
from lab.explain.follow import Followed
from lab.nodes.base import Completed
from lab.vpn_client import Dialled, RefusedError

NAME = "azuregateway.example"
ANSWER = f"203.0.113.2 STREAM {NAME}\n"


class Computer:
    """A client and its node: its resolver answers when it may."""

    name = "alice"

    def __init__(self) -> None:
        self.node: Any = self
        self.may_answer = asyncio.Event()
        self.says = ""
        self.env: Mapping[str, str] = {}

    async def read(self, _path: str) -> bytes:
        return b"nameserver 198.51.100.253\n"

    async def run(self, argv: Sequence[str], *, limit: float, env: Mapping[str, str]) -> Completed:
        assert argv[0] == "getent"
        assert limit
        self.env = env
        await self.may_answer.wait()
        return Completed(0, self.says, "")


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which questions were followed."""
    found: list[str] = []
    monkeypatch.setattr(look, "to_address", lambda *_: ["alice", "internet"])
    monkeypatch.setattr(look, "WITHIN", 0.01)
    return found


async def test_a_question_without_an_answer_is_followed_meanwhile(
    followed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    computer: Any = Computer()

    async def query(_: object, path: Sequence[str], name: str, server: str) -> Followed:
        assert name == NAME
        followed.append(server)
        computer.may_answer.set()  # the resolver gives up only now
        return Followed("udp/53", server, path)

    monkeypatch.setattr(look, "query", query)
    async with asyncio.timeout(30):
        resolved, servers, asked = await look._name(computer, NAME, None)  # type: ignore[arg-type]
    assert (resolved, servers, followed) == ([], ["198.51.100.253"], servers)
    assert asked
    assert asked.address == servers[0]
    assert computer.env["RES_OPTIONS"] == "timeout:1 attempts:2"


async def test_a_question_that_is_answered_is_not_followed(
    followed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "WITHIN", 30)
    computer: Any = Computer()
    computer.says = ANSWER
    computer.may_answer.set()
    resolved, _, asked = await look._name(computer, NAME, None)  # type: ignore[arg-type]
    assert (resolved, asked, followed) == (["203.0.113.2"], None, [])


@pytest.mark.parametrize(("until", "waited"), [(math.inf, True), (-math.inf, False)])
async def test_a_record_is_waited_for_only_just_after_the_dial(
    until: float, waited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gateway has not written by then, it does not write."""
    computer: Any = Computer()
    computer.dialled_until = until
    asked: list[str] = []

    async def refusal(*_: Any) -> None:
        asked.append("waited")

    async def of_attempts(*_: Any) -> list[dict[str, str]]:
        asked.append("looked")
        return [{"event": "refused", "n": "1"}, {"event": "refused", "n": "2"}, {"event": "x"}]

    monkeypatch.setattr(records, "refusal", refusal)
    monkeypatch.setattr(records, "of_attempts", of_attempts)
    failure = RefusedError("OpenVPN", "server-untrusted", "no", 0.0)
    found = await look._record(computer, failure, Dialled("", 0.0, (failure,)))
    assert asked == ["waited" if waited else "looked"]
    assert found == (None if waited else {"event": "refused", "n": "2"})


async def test_tls_versions_are_tried_side_by_side() -> None:
    begun: list[str] = []
    all_begun = asyncio.Event()

    class Opening(Computer):
        async def run(self, argv: Sequence[str], *, limit: float, **_: Any) -> Completed:  # type: ignore[override]
            assert limit
            begun.append(argv[4])
            if len(begun) == 3:
                all_begun.set()
            await all_begun.wait()
            chose = "New, TLSv1.2, Cipher is AES\n" if argv[4] == "-tls1_2" else ""
            return Completed(0, chose, "")

    computer: Any = Opening()
    async with asyncio.timeout(30):
        assert await look._taken(computer, "203.0.113.2") == ["TLS 1.2 (chose AES)"]
