"""A client computer's OpenVPN: the real program, configured from vpnconfig.ovpn and the .p12."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress

from gateway.common import turns
from gateway.common.background import end
from gateway.common.rotation import whole
from gateway.openvpn.management import Event, LogLine, Management, StateLine
from lab.clients.profile import Profile
from lab.clients.reasons import OPENVPN, judge
from lab.clients.resolver import Resolver
from lab.clients.user import NoCredentials, UserCertificate, UserPassword
from lab.errors import LabError, UsageError
from lab.nodes.base import Node, Process
from lab.topology.model.tls import OPENSSL_NAMES
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import Connection, RefusedError
from lab.waiting import patience, wait_until

DIRECTORY = "/run/openvpn"
INTERFACE = "tun0"
START_LIMIT = 10.0
DIAL_LIMIT = 20.0
QUOTED = 1000
"""Bytes of its log in an error."""
PUSH_REPLY = "PUSH: Received control message: 'PUSH_REPLY"
NOBODY = f"{DIRECTORY}/nobody"
PROXY_USER = f"{DIRECTORY}/proxy-user"
_PLACEHOLDERS = re.compile(r"<(cert|key)>.*?</\1>\n?", re.DOTALL)
REACH_LIMIT = 3
"""Seconds to wait for TCP, and again for the server's first answer; longer on a busy machine."""


class OpenVpn:
    """lab.vpn_client.Driver over the management interface."""

    protocol: VpnProtocol = "OpenVPN"

    def __init__(
        self,
        node: Node,
        profile: Profile,
        user: UserCertificate | NoCredentials,
        proxy: tuple[str, int] | None = None,
        tls: TlsLimits | None = None,
        *,
        proxy_user: UserPassword | None = None,
    ) -> None:
        self._node = node
        self._profile = profile
        self._user = user
        self._proxy = proxy
        self._proxy_user = proxy_user
        self._tls = tls
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: list[str] = []
        self._pushed: list[str] = []
        self._last = ""
        self._seconds = 0.0
        self._resolver = Resolver(node)

    async def connect(self) -> Connection:
        """Dial once; RefusedError with openvpn's messages if the tunnel does not come up."""
        began = time.monotonic()
        await self.disconnect()
        self._lines, self._pushed, self._last = [], [], ""
        settled = await self._start()
        with suppress(TimeoutError):
            async with patience(DIAL_LIMIT):
                await settled
        self._seconds = time.monotonic() - began
        connection = await self.connection()
        if connection is None:
            reason, message = judge(OPENVPN, self._lines)
            await self.disconnect()
            raise RefusedError(self.protocol, reason, message, self._seconds)
        await self._resolver.use(self._options_pushed("dhcp-option DNS"))
        return connection

    async def disconnect(self) -> None:
        """Disconnect."""
        if self._process is not None:
            await self._process.stop()
            self._process = None
        if self._reader is not None:
            await end(self._reader)
            self._reader = None
        await self._resolver.restore()

    async def connection(self) -> Connection | None:
        """The tunnel in openvpn's last state, if any."""
        running = self._process is not None and self._process.code is None
        if not running or self._last != "CONNECTED":
            return None
        address = next(iter(self._options_pushed("ifconfig")), "").partition(" ")[0]
        return Connection(self.protocol, address, INTERFACE, self._seconds, "OpenVPN (TUN)")

    async def rekey(self) -> None:
        """OpenVPN rekeys only by a timer: its management interface has no command for it."""
        raise UsageError("openvpn cannot rekey on demand", "use survivesRekey with IkeV2")

    async def ended(self, limit: float) -> str:
        """Wait until openvpn has no tunnel; its last messages."""

        async def gone() -> bool:
            return await self.connection() is None

        await wait_until(f"{self._node.name}: the OpenVPN tunnel is down", limit, gone)
        await self._resolver.restore()
        return "; ".join(self._lines[-3:]) or "openvpn is not running"

    async def _start(self) -> asyncio.Future[None]:
        """Start openvpn on hold, listen to its events, then release it: no event is missed."""
        await self._node.write(f"{DIRECTORY}/vpnconfig.ovpn", self._configuration(), 0o600)
        if isinstance(self._user, NoCredentials):
            await self._node.write(NOBODY, f"{self._user.name}\nnone\n", 0o600)
        if self._proxy_user:
            said = f"{self._proxy_user.name}\n{self._proxy_user.password}\n"
            await self._node.write(PROXY_USER, said, 0o600)
        # Of several logs openvpn uses the first, and Azure's file names one.
        log = ("--log-append", "/dev/stdout")
        argv = ["openvpn", *log, "--config", f"{DIRECTORY}/vpnconfig.ovpn", *self._options()]
        process = await self._node.spawn(argv, log="openvpn")
        self._process = process

        async def listening() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if process.code is not None:
                log = whole(process.log, QUOTED)
                raise LabError(f"{self._node.name}: openvpn ended with {process.code}: {log}")
            line = await self._node.connect(f"{DIRECTORY}/management.sock")
            return await asyncio.open_unix_connection(sock=line)

        what = f"{self._node.name}: openvpn's management interface answers"
        reader, writer = await wait_until(what, START_LIMIT, listening)
        settled = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._listen(reader, writer, settled))
        writer.write(b"log on\nstate on\nhold release\n")
        return settled

    def _configuration(self) -> str:
        """Azure's file with the user's certificate and key in place of its placeholders, or without
        them."""
        if isinstance(self._user, NoCredentials):
            return _PLACEHOLDERS.sub("", self._profile.openvpn)
        chain, key = self._user.chain_pem.decode(), self._user.key_pem.decode()
        text = self._profile.openvpn.replace("$CLIENTCERTIFICATE", chain)
        return text.replace("$PRIVATEKEY", key)

    def _options(self) -> list[str]:
        """Options of the lab: the management socket, and short time limits."""
        reach = round(REACH_LIMIT * turns.slowness())
        options = {
            "dev": INTERFACE,
            "management": f"{DIRECTORY}/management.sock unix",
            "management-hold": "",
            "disable-dco": "",
            "route-metric": "1",  # behind equal routes of the computer's own
            "connect-retry-max": "1",
            "connect-timeout": str(reach),
            "hand-window": str(2 * reach),
            "tls-timeout": "2",
            "resolv-retry": "0",
            **self._limits(),
            # openvpn demands credentials of some kind.
            **({"auth-user-pass": NOBODY} if isinstance(self._user, NoCredentials) else {}),
            **({"http-proxy": self._through(*self._proxy)} if self._proxy else {}),
        }
        return [word for name, value in options.items() for word in (f"--{name}", *value.split())]

    def _through(self, address: str, port: int) -> str:
        """The proxy, and what openvpn says to it."""
        return f"{address} {port}" + (f" {PROXY_USER} basic" if self._proxy_user else "")

    def _limits(self) -> dict[str, str]:
        """Those of the computer's TLS. Security level 0 allows SHA-1, which TLS 1.1 and outdated
        certificates need."""
        options = {}
        if self._tls or (isinstance(self._user, UserCertificate) and self._user.is_outdated):
            options["tls-cert-profile"] = "insecure"
        if self._tls and self._tls.maximum:
            options |= {"tls-version-min": "1.0", "tls-version-max": self._tls.maximum}
        if self._tls and self._tls.ciphers:
            options["tls-version-max"] = self._tls.maximum or "1.2"  # 1.3 has suites of its own
            options["tls-cipher"] = ":".join(OPENSSL_NAMES[one] for one in self._tls.ciphers)
        return options

    async def _listen(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        settled: asyncio.Future[None],
    ) -> None:
        management = Management()
        try:
            while data := await reader.read(65536):
                for event in management.feed(data):
                    self._handle(event, writer)
                    if self._last in ("CONNECTED", "EXITING") and not settled.done():
                        settled.set_result(None)
        except ConnectionError:
            pass  # openvpn has ended; treated like the end of file
        finally:
            writer.close()
            if self._last == "CONNECTED":
                self._last = "EXITING"
            if not settled.done():
                settled.set_result(None)

    def _handle(self, event: Event, writer: asyncio.StreamWriter) -> None:
        if isinstance(event, LogLine) and not event.text.startswith("MANAGEMENT:"):
            self._lines.append(event.text)
            if PUSH_REPLY in event.text:
                self._pushed = event.text.rstrip("'").split(",")
        elif isinstance(event, StateLine):
            self._last = event.name
            if event.name == "RECONNECTING":
                # Seed: auto-reconnect is not supported.
                writer.write(b"signal SIGTERM\n")

    def _options_pushed(self, name: str) -> list[str]:
        """The values of an option that the gateway pushed."""
        return [option[len(name) + 1 :] for option in self._pushed if option.startswith(f"{name} ")]
