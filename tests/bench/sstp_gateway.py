"""The gateway's SSTP engine with a password in place of RADIUS: python -m tests.bench.sstp_gateway.

Engine, gate, sessions and worker are the gateway's own; what is not there is its API, and the
limit of 128 sessions may be another. Its directory, the argument, holds placement.json; it says
`ready PID` when the worker serves.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

from gateway.arm.placement import Placement
from gateway.common.files import make_private_directory
from gateway.engine import EngineContext, Settings
from gateway.forwarding.fence import NftFence
from gateway.forwarding.reach import Reach
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Peer, Sessions
from gateway.ppp.events import MsChapV2Attempt
from gateway.ppp.mschapv2 import verify
from gateway.sstp.engine import SstpEngine
from gateway.sstp.gate import Vouched
from gateway.sstp.worker.messages import Asked, Continue, Denied, Key, Method, MsChapV2Given

ROOT = "bench"
USER, PASSWORD = "bench", "Pa55w0rd!"
POOL = IPv4Network("172.16.200.0/22")
OWN = "172.16.200.1"
NETWORK = IPv4Network("10.1.0.0/16")


class OnePassword:
    """An Authenticator: MS-CHAPv2, the same password for everybody."""

    methods: tuple[Method, ...] = ("MS-CHAPv2",)

    async def authenticate(self, asked: Asked) -> Vouched | Denied | Continue:
        """Check it."""
        given = asked.attempt
        assert isinstance(given, MsChapV2Given)
        fields = {field.name: getattr(given, field.name)
                  for field in dataclasses.fields(MsChapV2Attempt)}  # fmt: skip
        verified = verify(MsChapV2Attempt(**fields), PASSWORD)
        if verified is None:
            return Denied(call=asked.call, reason="refused", message="wrong password")
        keys = tuple(Key(form=key.form, key=key.key) for key in verified.keys)
        peer = Peer("SSTP", given.user, (str(asked.call),), ROOT, asked.address)
        return Vouched(peer, keys, verified.authenticator_response)

    def forget(self, call: int) -> None:
        """Nothing is kept."""


async def serve(placement: Placement, state: Path, limit: int) -> None:
    """For ever."""
    make_private_directory(state)
    log = DiagnosticLog()
    fence = NftFence(placement, log)
    fence.enclose(Reach(pool=(POOL,), routes=(NETWORK,), network=(NETWORK,)))
    sessions = Sessions(fence)
    admission = Admission(sessions)
    admission.policy = Policy(
        roots=frozenset({ROOT}), limits={"SSTP": limit}, parts={"SSTP": (POOL,)}
    )
    around = EngineContext(
        placement=placement,
        state=state,
        admission=admission,
        sessions=sessions,
        log=log,
        eap_tls=cast("Any", None),  # the password is asked for alone
        radius=cast("Any", None),
        charon=cast("Any", None),
    )
    engine = SstpEngine(around, OnePassword())
    await engine.configure(Settings(roots=(), pool=(POOL,), routes=(), dns=(), radius=True))
    print(f"ready {engine.report().pid}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    where = Placement.model_validate_json((place / "placement.json").read_bytes())
    asyncio.run(serve(where, place / "state", int(sys.argv[2])))
