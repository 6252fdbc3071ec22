"""The push proxy before a real FreeRADIUS, and its faults."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.ppp.config import ClientConfig, Method
from lab.errors import UsageError
from lab.roles.radius_server import RadiusServer, start_radius
from lab.waiting import wait_until
from radius.verdict import NoAnswer
from tests.e2e.test_radius import ALICE, asked, dialled, plain
from tests.rigs.dialling import Dialled, dial
from tests.rigs.patience import PATIENCE
from tests.rigs.radius_bench import Bench, on_a_bench


async def decided(bench: Bench, server: RadiusServer, how: Method, *, approve: bool) -> Dialled:
    """Dial, and answer the second factor as soon as the user is asked."""

    async def word() -> None:
        async def is_asked() -> bool:
            return await server.waiting() == ["alice"]

        await wait_until("alice is asked", PATIENCE, is_asked)
        await server.decide("alice", approve=approve)

    user = replace(ALICE, methods=(how,))
    result, _ = await asyncio.gather(dialled(bench, user, how), word())
    return result


@pytest.mark.parametrize("how", ["MS-CHAPv2", "EAP", "PAP"])
def test_an_approval_lets_in_and_a_denial_does_not(tmp_path: Path, how: Method) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench), "asked")
        assert (await decided(bench, server, how, approve=True)).connected
        written = server.written()
        assert not (await decided(bench, server, how, approve=False)).connected
        refusal = server.refusal("alice", written)
        assert refusal is not None
        assert refusal.reason == "second-factor-denied"
        with pytest.raises(UsageError, match="no server is asking"):
            await server.decide("alice", approve=True)

    on_a_bench(tmp_path, test)


def test_a_wrong_password_asks_nobody(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench), "asked")
        result = await dialled(bench, ClientConfig("alice", "wrong"), "EAP")
        assert not result.connected
        assert await server.waiting() == []
        refusal = server.refusal("alice", {})
        assert refusal is not None
        assert refusal.reason == "password"
        await server.stop()
        assert await server.waiting() == [], "nor does a server that is down ask anybody"
        with pytest.raises(UsageError, match="no server is asking"):
            await server.decide("alice", approve=True)

    on_a_bench(tmp_path, test)


def test_an_approval_after_the_gateway_has_given_up_is_of_no_use(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench), "never")
        result = await asked(bench, lambda client: dial(client, ALICE, ("MS-CHAPv2",)), limit=0.5)
        assert isinstance(result.verdict, NoAnswer)
        assert await server.waiting() == ["alice"]

    on_a_bench(tmp_path, test)


def test_an_approval_after_some_seconds_is_waited_for(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench), 1.5)
        assert (await dialled(bench, ALICE, "EAP")).connected
        assert (await dialled(bench, ALICE, "MS-CHAPv2")).connected

    on_a_bench(tmp_path, test)


def test_a_code_that_would_have_to_be_typed_fails_and_the_gateway_says_why(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench), "typed")
        assert not (await dialled(bench, ALICE, "EAP")).connected
        result = await dialled(bench, ALICE, "MS-CHAPv2")
        assert result.reason == "typed-code"

    on_a_bench(tmp_path, test)


def test_a_server_may_be_slow_have_another_secret_and_be_as_before(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench))

        async def verdict(limit: float) -> Any:
            return await asked(
                bench, lambda client: dial(client, ALICE, ("MS-CHAPv2",)), limit=limit
            )

        await server.become(slow=1.0)
        assert isinstance((await verdict(0.5)).verdict, NoAnswer)
        assert (await verdict(10)).connected
        await server.become(secret="another")
        assert isinstance((await verdict(0.5)).verdict, NoAnswer)
        await server.become()
        assert (await verdict(10)).connected

    on_a_bench(tmp_path, test)


def test_the_doors_files_and_log_tell_no_secret(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench), "asked")
        assert (await decided(bench, server, "PAP", approve=True)).connected
        log = server.log.with_name("push-proxy.log").read_text()
        asked = {"user": "alice", "reason": None, "message": "asked"}
        assert json.loads(log.splitlines()[0]) == asked
        assert ALICE.password not in log
        node = bench.nodes["nps1"]
        modes = await node.run(["find", "/run/push-proxy", "-not", "-type", "d", "-perm", "/077"])
        assert modes.stdout == ""

    on_a_bench(tmp_path, test)
