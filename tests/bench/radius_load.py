"""Many users who sign in with a password, from one computer.

    python -m tests.bench.radius_load sstp NUMBER NAME ROOT
    python -m tests.bench.radius_load ike NUMBER NAME ROOT [AT-ONCE]
    python -m tests.bench.radius_load radius NUMBER OWN-ADDRESS SERVER SECRET

User `u0`, `u1` and so on, AT_ONCE at a time; `radius` is the gateway's client alone, without any
VPN. Prints a line of JSON: how many came in, what kept
the others out, and the seconds from the first dial to the last answer.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.charon import datapath
from gateway.dataplane.reactor import Reactor
from gateway.ppp import mschapv2
from gateway.ppp.config import ClientConfig
from gateway.ppp.events import MsChapV2Attempt
from gateway.sstp.protocol.events import Connected, Ended
from lab.clients.persona import ike_persona
from lab.clients.profile import Profile
from lab.clients.sstp_call import DialEvent, SstpCall, Target
from lab.clients.sstp_python import tls_context
from lab.clients.strongswan import DAEMON
from lab.clients.strongswan_config import CHILD, connection_message, identity, strongswan_conf
from lab.clients.user import UserPassword
from lab.topology.planning.plan import TlsLimits
from lab.waiting import wait_until
from radius.attributes import Call, Nas
from radius.client import RadiusClient
from radius.packet import Server
from radius.verdict import Accept
from tests.bench.radius_labs import PASSWORD

AT_ONCE = 8
DIRECTORY = Path("/run/load")
SOCKET = f"{DIRECTORY}/charon.vici"
START_LIMIT = 10.0
LIMIT_MS = 30_000


def told(number: int, failures: list[str], seconds: float) -> None:
    """The line for who started us."""
    print(json.dumps({"in": number - len(failures), "failures": failures, "seconds": seconds}),
          flush=True)  # fmt: skip


class SstpLoad:
    """Calls on one loop, MS-CHAPv2; each hangs up when it is connected."""

    def __init__(self, reactor: Reactor, target: Target, number: int) -> None:
        self._reactor = reactor
        self._target = target
        self._users = iter(range(number))
        self._making = 0
        self.failures: list[str] = []

    def more(self) -> None:
        """Begin as many as may be made at one time."""
        for user in itertools.islice(self._users, AT_ONCE - self._making):
            self._making += 1
            self._dial(user)
        if not self._making:
            self._reactor.stop()

    def _dial(self, number: int) -> None:
        user = ClientConfig(f"u{number}", f"{PASSWORD}{number}", methods=("MS-CHAPv2",))
        open_ = [True]

        def on(event: DialEvent) -> None:
            if not isinstance(event, Connected | Ended) or not open_:
                return
            open_.clear()
            self._making -= 1
            if isinstance(event, Ended):
                self.failures.append(f"u{number}: {event.why}")
            else:
                self._reactor.call_at(0.0, lambda: call.hang_up("enough"))
            self._reactor.call_at(0.0, self.more)

        call = SstpCall(self._reactor, self._target, user, on)
        call.dial()


def sstp(number: int, name: str, root: str) -> None:
    """Over SSTP."""
    target = Target(name, socket.gethostbyname(name), tls_context(root))
    with Reactor() as reactor:
        load = SstpLoad(reactor, target, number)
        began = time.monotonic()
        load.more()
        reactor.run()
        told(number, load.failures, time.monotonic() - began)


def ike(number: int, name: str, root: str, at_once: str = str(AT_ONCE)) -> None:
    """Over IKEv2, with one charon for all of them; its tunnels carry nothing here."""
    userspace = datapath.find().userspace
    DIRECTORY.mkdir(exist_ok=True)
    conf = DIRECTORY / "strongswan.conf"
    text = strongswan_conf(str(DIRECTORY), userspace=userspace, tls=TlsLimits(), patient=True)
    # a thread waits for each that is being set up
    conf.write_text(text.replace("threads = 16", f"threads = {56 + int(at_once)}"))
    charon = subprocess.Popen(
        [DAEMON],
        env={**os.environ, "STRONGSWAN_CONF": str(conf)},
        stdout=(DIRECTORY / "charon.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        profile = Profile(("IkeV2",), name, ("10.1.0.0/16",), Path(root).read_bytes(), "")
        asyncio.run(wait_until("charon answers", START_LIMIT, _answers))
        _with_vici(lambda session: _load(session, number, profile, userspace=userspace))
        began = time.monotonic()
        with ThreadPoolExecutor(int(at_once)) as pool:
            failures = [why for why in pool.map(_initiate, range(number)) if why]
        told(number, failures, time.monotonic() - began)
    finally:
        charon.kill()


def radius(number: int, address: str, server: str, secret: str) -> None:
    """The RADIUS server alone, asked as the gateway asks it, through the tunnel."""
    asyncio.run(_ask(number, address, Server(server, secret.encode())))


async def _ask(number: int, address: str, server: Server) -> None:
    client = RadiusClient((server,), Nas("RD0", address))
    turn = asyncio.Semaphore(AT_ONCE)

    async def login(n: int) -> str:
        challenge = os.urandom(mschapv2.CHALLENGE_LENGTH)
        value = mschapv2.Exchange(f"u{n}", f"{PASSWORD}{n}").respond(challenge, os.urandom)
        attempt = MsChapV2Attempt(f"u{n}", challenge, *mschapv2.parse_response(value), 1)
        async with turn:
            verdict = await client.mschapv2(Call("192.0.2.1", n), attempt)
        return "" if isinstance(verdict, Accept) else f"u{n}: {verdict.message}"

    began = time.monotonic()
    outcomes = await asyncio.gather(*map(login, range(number)))
    told(number, [why for why in outcomes if why], time.monotonic() - began)
    client.close()


def _with_vici(work: Callable[..., None]) -> None:
    """A session of its own."""
    import vici

    with socket.socket(socket.AF_UNIX) as line:
        line.connect(SOCKET)
        work(vici.Session(line))


def _answers() -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(SOCKET) == 0


def _load(session: object, number: int, profile: Profile, *, userspace: bool) -> None:
    import vici

    assert isinstance(session, vici.Session)
    session.load_cert({"type": "x509", "flag": "CA", "data": profile.server_root})
    for n in range(number):
        user = UserPassword(f"u{n}", f"{PASSWORD}{n}")
        owner = identity(user.name)
        session.load_shared({"type": "EAP", "data": user.password, "owners": [owner]})
        message = connection_message(profile, user, ike_persona("linux"), encapsulate=userspace)
        session.load_conn({user.name: message})


def _initiate(number: int) -> str:
    """Why it failed; empty when the tunnel is up."""
    import vici
    import vici.exception

    said: list[str] = []

    def initiate(session: vici.Session) -> None:
        order = {"ike": f"u{number}", "child": CHILD, "timeout": str(LIMIT_MS), "loglevel": "-1"}
        try:
            for _ in session.initiate(order):
                pass
        except vici.exception.CommandException as error:
            said.append(f"u{number}: {error}")

    _with_vici(initiate)
    return "; ".join(said)


if __name__ == "__main__":
    {"ike": ike, "sstp": sstp, "radius": radius}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
