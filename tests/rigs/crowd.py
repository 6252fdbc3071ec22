"""Many honest clients on one computer, each with its own certificate.

IKEv2: one real charon with a connection a user (docs/facts.md §17). OpenVPN: a
program a user, each with a TUN of its own and no routes (§18). Who is in pings the gateway
from his own address.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gateway.charon import datapath
from lab.clients.profile import Profile, read_profile
from lab.clients.strongswan import DAEMON
from lab.nodes.base import Node, Process
from lab.waiting import wait_until
from tests.rigs import forged
from tests.rigs.forged import Forged
from tests.rigs.gateway_bench import PRIVATE, Bench

if TYPE_CHECKING:
    import vici

DIRECTORY = "/run/crowd"
VICI = f"{DIRECTORY}/charon.vici"
START_LIMIT = 20.0
DIAL_LIMIT_MS = 60_000
PROPOSALS = ["aes256gcm16-prfsha384-ecp256"]

_CONF = """charon {
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 aes gcm socket-default IPSEC kernel-netlink vici eap-identity eap-tls eap-mschapv2
  load_modular = no
  threads = 64
  retransmit_tries = 20
  retransmit_timeout = 2.0
  retransmit_base = 1.0
  ikesa_table_size = 1024
  ikesa_table_segments = 16
  filelog {
    stdout {
      default = 0
    }
  }
  plugins {
    vici {
      socket = unix:///run/crowd/charon.vici
    }
  }
}
charon-systemd {
  journal {
    default = -1
  }
}
"""  # noqa: E501 (one option a line)


def people(count: int, by: Forged) -> list[Forged]:
    """`count` users, u0 and so on."""
    return [forged.sign(f"u{number}", by=by) for number in range(count)]


async def profile_of(bench: Bench) -> Profile:
    """The gateway's profile for certificates."""
    return read_profile(await bench.gateway.profile({"authenticationMethod": "EAPTLS"}))


class IkeCrowd:
    """Users of one charon; a user's number is the position in the list."""

    def __init__(self, node: Node, users: Sequence[Forged], password: str = "") -> None:
        """`password`: of all users, who sign in with it in place of their certificates."""
        self._node = node
        self._users = users
        self._password = password
        self._daemon: Process | None = None

    async def start(self, profile: Profile) -> None:
        """Start charon with all users' connections."""
        userspace = (await self._node.call(datapath.find)).userspace
        text = _CONF.replace("IPSEC", "kernel-libipsec" if userspace else "")
        await self._node.write(f"{DIRECTORY}/strongswan.conf", text)
        env = {"STRONGSWAN_CONF": f"{DIRECTORY}/strongswan.conf"}
        self._daemon = await self._node.spawn([DAEMON], log="crowd", env=env)
        await wait_until("the crowd's charon", START_LIMIT, self._answers)

        def load(session: vici.Session) -> None:
            session.load_cert({"type": "x509", "flag": "CA", "data": profile.server_root})
            for number, user in enumerate(self._users):
                connection = _connection(profile, user, encapsulate=userspace)
                if self._password:
                    name = f"u{number}"
                    connection[name]["local"] = {"auth": "eap-mschapv2", "eap_id": name}
                    secret = {"type": "EAP", "data": self._password, "owners": [name]}
                    session.load_shared(secret)
                else:
                    session.load_key({"type": "any", "data": user.key_pem})
                session.load_conn(connection)

        async with self._sessions(1) as (session,):
            await asyncio.to_thread(load, session)

    async def stop(self) -> None:
        """Disconnect all users."""
        if self._daemon:
            await self._daemon.stop()

    async def dial(self, numbers: Sequence[int], at_once: int) -> dict[int, str]:
        """Dial; who did not come in, and charon's word on it. vici's listen queue is short: each
        of those at once has one session for all that it dials."""
        waiting, failures = iter(numbers), dict[int, str]()

        def work(session: vici.Session) -> None:
            for number in waiting:  # shared: an iterator's next is one step
                failure = _initiate(session, f"u{number}")
                if failure:
                    failures[number] = failure

        async with self._sessions(at_once) as sessions:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(at_once) as pool:
                await asyncio.gather(*(loop.run_in_executor(pool, work, one) for one in sessions))
        return failures

    async def inside(self) -> dict[int, tuple[str, bytes]]:
        """The connected users: address and SPI of the IKE_SA."""

        def ask(session: vici.Session) -> dict[int, tuple[str, bytes]]:
            found = {}
            for row in session.list_sas():
                for name, association in row.items():
                    children = association["child-sas"].values()
                    installed = any(child["state"] == b"INSTALLED" for child in children)
                    if association["state"] == b"ESTABLISHED" and installed:
                        address = association["local-vips"][0].decode()
                        found[int(name[1:])] = address, association["initiator-spi"]
            return found

        async with self._sessions(1) as (session,):
            return await asyncio.to_thread(ask, session)

    async def _answers(self) -> bool:
        assert self._daemon
        assert self._daemon.code is None, self._daemon.log.read_text()
        async with self._sessions(1):
            return True

    def _sessions(self, count: int) -> _Sessions:
        return _Sessions(self._node, count)


class _Sessions:
    """vici sessions, opened one after the other."""

    def __init__(self, node: Node, count: int) -> None:
        self._node = node
        self._count = count
        self._lines: list[socket.socket] = []

    async def __aenter__(self) -> list[vici.Session]:
        import vici

        made = []
        for _ in range(self._count):
            line = await self._node.connect(VICI)
            line.settimeout(2 * DIAL_LIMIT_MS / 1000)
            self._lines.append(line)
            made.append(vici.Session(line))
            await asyncio.to_thread(made[-1].version)  # accepted, and out of the queue
        return made

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            line.close()


def _connection(profile: Profile, user: Forged, *, encapsulate: bool) -> dict[str, Any]:
    name = user.certificate.subject.rfc4514_string()
    number = name.removeprefix("CN=")
    return {
        number: {
            "version": "2",
            "remote_addrs": [profile.server],
            "vips": ["0.0.0.0"],
            "encap": "yes" if encapsulate else "no",
            "proposals": PROPOSALS,
            "dpd_delay": "30s",
            "send_certreq": "no",
            "local": {
                "auth": "eap-tls",
                "certs": [forged.pem(user.der)],
                "id": name,
                "eap_id": name,
            },
            "remote": {"auth": "pubkey", "id": profile.server},
            "children": {
                number: {"remote_ts": list(profile.routes), "esp_proposals": ["aes256gcm16"]}
            },
        }
    }


def _initiate(session: vici.Session, name: str) -> str:
    import vici.exception

    order = {"ike": name, "child": name, "timeout": str(DIAL_LIMIT_MS), "loglevel": "-1"}
    try:
        for _ in session.initiate(order):
            pass
    except vici.exception.CommandException as error:
        return str(error)
    return ""


class OpenVpnCrowd:
    """Users of one computer, one program each."""

    def __init__(self, node: Node, users: Sequence[Forged]) -> None:
        self._node = node
        self._users = users
        self._running: list[Process] = []

    async def dial(self, profile: Profile) -> list[str]:
        """Dial all at once; return the devices once all are connected."""
        for number, user in enumerate(self._users):
            text = profile.openvpn.replace("log openvpn.log\n", "")
            text = text.replace("$CLIENTCERTIFICATE", forged.pem(user.der).decode())
            path = f"{DIRECTORY}/u{number}.ovpn"
            await self._node.write(path, text.replace("$PRIVATEKEY", user.key_pem.decode()), 0o600)
            argv = ["openvpn", "--config", path, "--dev", f"t{number}", "--dev-type", "tun",
                    "--route-noexec", "--disable-dco"]  # fmt: skip
            self._running.append(await self._node.spawn(argv, log=f"crowd-{number}"))

        async def up(process: Process) -> None:
            def inside() -> bool:
                assert process.code is None, process.log.read_text()
                return "Initialization Sequence Completed" in process.log.read_text()

            try:
                await wait_until("OpenVPN is up", 2 * START_LIMIT, inside)
            except TimeoutError as error:
                raise AssertionError(process.log.read_text()[-2000:]) from error

        await asyncio.gather(*map(up, self._running))
        return [f"t{number}" for number in range(len(self._users))]

    async def stop(self) -> None:
        """Disconnect all users."""
        await asyncio.gather(*(process.stop() for process in self._running))


_HEARD = re.compile(r"icmp_seq=(\d+) ttl=")
_SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received")


class Pings:
    """ping(8), from an address or a device each, five times a second."""

    def __init__(self, running: dict[str, Process]) -> None:
        self._running = running

    @classmethod
    async def start(
        cls, node: Node, sources: Sequence[str], seconds: float, aim: str = PRIVATE
    ) -> Pings:
        """Start them; they end by themselves, so that the last answer is awaited."""
        count = str(max(1, int(seconds / 0.2)))
        argv = ["ping", "-i", "0.2", "-c", count, "-W", "5", "-I"]
        return cls(
            {
                source: await node.spawn([*argv, source, aim], log=f"ping-{source}")
                for source in sources
            }
        )

    @property
    def over(self) -> bool:
        """Whether all have ended."""
        return all(process.code is not None for process in self._running.values())

    def missing(self) -> dict[str, list[int]]:
        """By source: numbers of pings without an answer; the first is 1, five are a second."""
        found = {}
        for source, process in self._running.items():
            text = process.log.read_text()
            heard = {int(number) for number in _HEARD.findall(text)}
            told = _SUMMARY.search(text)
            gone = sorted(set(range(1, int(told[1]) + 1 if told else 1)) - heard)
            if gone:
                found[source] = gone
        return found

    async def ended(self) -> dict[str, tuple[int, int]]:
        """By source: sent and answered, once all are over."""
        found = {}
        for source, process in self._running.items():
            await process.wait()
            text = process.log.read_text()
            told = _SUMMARY.search(text)
            assert told, text
            found[source] = int(told[1]), int(told[2])
        return found
