"""Who a session is of, when the EAP identity is anybody's: eapol_test's PEAP at real FreeRADIUS.

No client here speaks PEAP over SSTP or IKEv2, so eapol_test does over RADIUS: its packets go to
the authenticator of SSTP, as a call's would.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from pyrad.packet import AccessAccept, AccessChallenge, AccessReject, AuthPacket

from gateway.sstp.gate import Vouched
from gateway.sstp.radius import RadiusAuthenticator
from gateway.sstp.worker.messages import Asked, Continue, EapGiven
from lab.roles.radius_server import start_radius
from radius import relay
from radius.attributes import Nas
from radius.client import RadiusClient
from radius.packet import Server, split
from tests.e2e.test_radius import eap_mschapv2, plain
from tests.rigs.radius_bench import GATEWAY, SECRET, SERVER, Bench, on_a_bench

MINE = b"between-eapol-test-and-here"


class _Path:
    """gateway.policy.radius_path.RadiusPath, with one server in reach."""

    enabled = True

    def __init__(self, client: RadiusClient) -> None:
        self.client = client

    def objection(self) -> str:
        return ""

    def silence(self) -> str:
        return ""


class Call(asyncio.DatagramProtocol):
    """One call: EAP in and out for eapol_test, and what became of it."""

    def __init__(self, authenticator: RadiusAuthenticator) -> None:
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._authenticator = authenticator
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = relay.read_request(data, MINE)
        assert request is not None
        task = asyncio.create_task(self._answer(request, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: AuthPacket, addr: tuple[str, int]) -> None:
        packet = b"".join(request[relay.EAP_MESSAGE])
        given = EapGiven(packet=packet, identity=None, speaks="PEAP")
        asked = Asked(call=1, address="192.0.2.9", attempt=given)
        outcome = await self._authenticator.authenticate(asked)
        reply = request.CreateReply()
        reply.code = AccessChallenge
        if not isinstance(outcome, Continue):
            reply.code = AccessAccept if isinstance(outcome, Vouched) else AccessReject
            self.ended.set_result(outcome)
        reply[relay.EAP_MESSAGE], reply[relay.STATE] = split(outcome.eap), [b"1"]
        self._transport.sendto(relay.signed(reply), addr)


def test_the_session_is_of_the_user_within_peap(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench))
        eap = eap_mschapv2("b", "PEAP", "bob") + ' anonymous_identity="anonymous@corp.test"\n'
        argv = await bench.eapol_argv(eap, GATEWAY, MINE.decode())

        async def call() -> Any:
            client = RadiusClient([Server(SERVER, SECRET.encode())], Nas("RD0", GATEWAY))
            transport, called = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Call(RadiusAuthenticator(cast("Any", _Path(client)))),
                local_addr=(GATEWAY, 1812),
            )
            quiet = asyncio.subprocess.DEVNULL
            dialling = await asyncio.create_subprocess_exec(*argv, stdout=quiet, stderr=quiet)
            try:
                async with asyncio.timeout(20):
                    return await called.ended
            finally:
                await dialling.wait()
                transport.close()
                client.close()

        outcome = await bench.nodes["gw"].call(lambda: asyncio.run(call()))
        assert isinstance(outcome, Vouched), outcome
        assert outcome.peer.user == "bob"

    on_a_bench(tmp_path, test)
