"""Second factor: users answer while they dial, at every server that asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lab.checks import run, second_factor
from lab.checks.run import concurrent_chains, run_steps
from lab.errors import UsageError
from lab.topology.model.steps import Approve, Connects, Deny, Steps, text_of
from lab.world import Outcome
from tests.unit.lab.checks.fakes import FakeWorld


class FakeServer:
    """Asks a fixed list of users."""

    def __init__(self, waiting: Iterable[str] = (), *, asks: bool = True) -> None:
        self.asks = asks
        self.names = list(waiting)
        self.decided: list[tuple[str, bool]] = []

    async def waiting(self) -> list[str]:
        assert self.asks
        return self.names

    async def decide(self, user: str, *, approve: bool) -> int:
        self.decided.append((user, approve))
        return 1


def world(**servers: FakeServer) -> Any:
    made = FakeWorld()
    made.radius = dict(servers)
    return made


def test_it_runs_beside_the_users_own_steps_and_is_no_barrier() -> None:
    steps = Steps.validate_python(
        [
            {"connects": "alice"},
            {"approve": "alice"},
            {"connects": "bob"},
            {"reaches": "alice", "host": "app1", "port": 80},
            {"deny": "alice"},
        ]
    )
    order = [
        [[index for index, _ in chain] for chain in chains] for chains in concurrent_chains(steps)
    ]
    assert order == [[[0, 3], [1, 4], [2]]]
    assert text_of(steps[1]) == "approve alice"


async def test_who_dials_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nps = FakeServer()

    async def dials(_step: Connects, _world: object) -> Outcome:
        nps.names.append("CORP\\alice")
        while not nps.decided:
            await second_factor.asyncio.sleep(0)
        return Outcome(held=True, detail="")

    monkeypatch.setitem(run.WORK, Connects, dials)
    steps = Steps.validate_python([{"connects": "alice"}, {"approve": "alice", "within": 5}])
    assert await run_steps(steps, world(nps=nps), lambda *_: None)
    assert nps.decided == [("alice", True)]


async def test_who_is_not_asked_in_time_has_nothing_to_say() -> None:
    nps = FakeServer(["bob"])
    step = Deny.model_validate({"deny": "alice", "within": 0.05})
    outcome = await second_factor.deny(step, world(nps=nps))
    assert (outcome.held, outcome.detail) == (False, "alice was not asked within 0.05 s")
    assert nps.decided == []


async def test_only_servers_that_ask_this_user_hear_the_word_and_are_named() -> None:
    servers = {
        "nps1": FakeServer(["alice@corp.test"]),
        "nps2": FakeServer(["bob"]),
        "nps3": FakeServer(asks=False),
    }
    step = Approve.model_validate({"approve": "alice"})
    outcome = await second_factor.approve(step, world(**servers))
    assert outcome.held
    assert outcome.detail.endswith("; nps1")
    assert [server.decided for server in servers.values()] == [[("alice", True)], [], []]
    assert await second_factor.waiting(servers) == ["alice@corp.test", "bob"]


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ({"nps": FakeServer(["bob"])}, "no server is asking alice now (asked now: bob)"),
        ({"nps": FakeServer()}, "no server is asking alice now (asked now: nobody)"),
        ({"nps": FakeServer(asks=False)}, "no RADIUS server here asks for a second factor"),
        ({}, "no RADIUS server here asks for a second factor"),
    ],
)
async def test_an_answer_without_a_prompt_is_an_error_with_a_remedy(
    servers: dict[str, FakeServer], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        await second_factor.decide(servers, "alice", approve=True)
    whole = f"{error.value.args[0]} ({error.value.remedy})"
    assert whole.startswith(said)
