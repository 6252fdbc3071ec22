"""A client computer's SSTP with `sstpClient: python`: the driver of the lab's own program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from lab.clients.dial_output import DialOutput
from lab.clients.profile import Profile
from lab.clients.resolver import Resolver
from lab.clients.sstp_options import CHAIN, DIRECTORY, KEY, RADIUS_ROOT, ROOT, dial_limit
from lab.clients.user import NoCredentials, User, UserCertificate
from lab.errors import LabError, UsageError
from lab.nodes.base import Node, Process
from lab.topology.model.vocabulary import Reason, VpnProtocol
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import Connection, RefusedError
from lab.waiting import wait_until
from radius.printable import printable

INTERFACE = "sstp0"
PASSWORD = f"{DIRECTORY}/password"


class PythonSstp:
    """lab.vpn_client.Driver over the program's JSON events."""

    protocol: VpnProtocol = "SSTP"

    def __init__(
        self,
        node: Node,
        profile: Profile,
        user: User,
        proxy: tuple[str, int] | None = None,
        tls: TlsLimits | None = None,
    ) -> None:
        self._node = node
        self._profile = profile
        self._user = user
        self._proxy = proxy
        self._tls = tls or TlsLimits()
        self._process: Process | None = None
        self._dial = DialOutput()
        self._seconds = 0.0
        self._resolver = Resolver(node)

    async def connect(self) -> Connection:
        """Dial once; RefusedError with the program's message if the tunnel does not come up."""
        began = time.monotonic()
        await self.disconnect()
        self._dial = DialOutput()
        await self._start(await self._arguments())
        limit = dial_limit(self._user, self._profile.radius_root)
        try:
            what = f"{self._node.name}: sstp_python is up or has ended"
            await wait_until(what, limit, self._settled)
        except TimeoutError as error:
            await self.disconnect()
            raise RefusedError(self.protocol, "no-answer", str(error), limit) from None
        self._seconds = time.monotonic() - began
        connection = await self.connection()
        if connection is None:
            raise self._refusal()
        await self._resolver.use(self._event("up")["dns"])
        return connection

    async def disconnect(self) -> None:
        """Disconnect."""
        if self._process is not None:
            await self._process.stop(10.0)
            self._process = None
        await self._resolver.restore()

    async def connection(self) -> Connection | None:
        """The tunnel according to the program's events, if any."""
        up = self._event("up")
        running = self._process is not None and self._process.code is None
        if not up or not running or self._event("ended"):
            return None
        binding = (f"{up['tls']}, crypto binding {up['binding']}",)
        return Connection(
            self.protocol, up["address"], INTERFACE, self._seconds, "Python (TUN)", binding
        )

    async def rekey(self) -> None:
        """SSTP does not rekey: it has no TLS renegotiation."""
        raise UsageError("SSTP does not rekey", "use survivesRekey with IkeV2")

    async def ended(self, limit: float) -> str:
        """Wait until the program has no tunnel; its reason."""

        async def gone() -> bool:
            return await self.connection() is None

        await wait_until(f"{self._node.name}: the SSTP tunnel is down", limit, gone)
        await self._resolver.restore()
        return str(self._event("ended").get("why", "sstp_python is not running"))

    async def _arguments(self) -> list[str]:
        """Write the user's secrets into files; the program's arguments."""
        files: dict[str, str | bytes] = {ROOT: self._profile.server_root}
        arguments = [self._profile.server, "--root", ROOT, "--interface", INTERFACE]
        if isinstance(self._user, UserCertificate):
            files |= {CHAIN: self._user.chain_pem, KEY: self._user.key_pem}
            if self._profile.radius_root:
                files[RADIUS_ROOT] = self._profile.radius_root
                arguments += ["--eap-root", RADIUS_ROOT]
            name = printable(self._user.common_name)  # it may have a zero byte
            arguments += [f"--user={name}", "--certificate", CHAIN, "--key", KEY]
        elif isinstance(self._user, NoCredentials):
            arguments += [f"--user={self._user.name}"]
        else:
            files[PASSWORD] = self._user.password
            arguments += [f"--user={self._user.name}", "--password-file", PASSWORD]
        for path, content in files.items():
            await self._node.write(path, content, 0o600)
        return [
            *arguments,
            *(word for route in self._profile.routes for word in ("--route", route)),
            *(("--proxy", f"{self._proxy[0]}:{self._proxy[1]}") if self._proxy else ()),
            *(("--maximum-tls", self._tls.maximum) if self._tls.maximum else ()),
            *(("--maximum-eap-tls", self._tls.eap_maximum) if self._tls.eap_maximum else ()),
            *(word for suite in self._tls.ciphers for word in ("--cipher", suite)),
        ]

    async def _start(self, arguments: list[str]) -> None:
        """Start the program; a mark in the log separates this dial from earlier ones."""
        self._dial = DialOutput()
        program = [sys.executable, "-m", "lab.clients.sstp_python", *arguments]
        argv = ["sh", "-c", f'echo "{self._dial.mark}" && exec "$@"', "sh", *program]
        self._process = await self._node.spawn(argv, log="sstp")
        self._dial.log = self._process.log

    def _settled(self) -> bool:
        ended = self._process is None or self._process.code is not None
        return ended or bool(self._event("up"))

    def _refusal(self) -> RefusedError:
        agreed, refused = self._event("agreed"), self._event("refused")
        if agreed:
            raise LabError(f"the gateway accepted cipher suite {agreed['suite']:#06x}, which it "
                           "should refuse; this client cannot continue")  # fmt: skip
        if not refused and not self._event("ended"):
            last = self._dial().strip().rpartition("\n")[2]  # of a traceback: the error
            raise LabError(f"{self._node.name}: sstp_python: {last or 'no message'}",
                           f"see its log: {self._dial.log}")  # fmt: skip
        # Without a refusal, the tunnel was up for a moment.
        message = refused.get("message") or str(self._event("ended")["why"])
        reason: Reason = refused.get("reason", "refused")
        return RefusedError(self.protocol, reason, message, self._seconds)

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._dial().split("\n")[:-1]:  # the last line may be incomplete
            if line.startswith("{"):
                yield json.loads(line)

    def _event(self, name: str) -> dict[str, Any]:
        """The last event of this name in this dial; empty if there is none."""
        return next((e for e in reversed(list(self._events())) if e["event"] == name), {})
