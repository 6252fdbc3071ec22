"""A client computer's SSTP where `sstpClient: python`: the lab's own program, driven."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.common.rotation import whole
from lab.clients.profile import Profile
from lab.clients.resolver import Resolver
from lab.clients.sstp_options import CHAIN, DIRECTORY, KEY, RADIUS_ROOT, ROOT, User, dial_limit
from lab.clients.user import UserCertificate
from lab.errors import LabError, UsageError
from lab.nodes.base import Node, Process
from lab.topology.model.vocabulary import Reason, VpnProtocol
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import Connection, RefusedError
from lab.waiting import wait_until

INTERFACE = "sstp0"
PASSWORD = f"{DIRECTORY}/password"


class PythonSstp:
    """lab.vpn_client.Driver over the program's lines."""

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
        self._log: Path | None = None
        self._mark = ""
        self._seconds = 0.0
        self._resolver = Resolver(node)

    async def connect(self) -> Connection:
        """Dial once; RefusedError with the program's own words if the tunnel does not come up."""
        began = time.monotonic()
        await self.disconnect()
        self._log = None
        await self._start(await self._place())
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
        await self._resolver.take(self._event("up")["dns"])
        return connection

    async def disconnect(self) -> None:
        """Hang up."""
        if self._process is not None:
            await self._process.stop(10.0)
            self._process = None
        await self._resolver.give_back()

    async def connection(self) -> Connection | None:
        """The tunnel as the program told of it."""
        up = self._event("up")
        running = self._process is not None and self._process.code is None
        if not up or not running or self._event("ended"):
            return None
        proof = (f"{up['tls']}, crypto binding {up['binding']}",)
        return Connection(
            self.protocol, up["address"], INTERFACE, self._seconds, "Python (TUN)", proof
        )

    async def rekey(self) -> None:
        """SSTP has no renewal of keys: TLS renegotiation is not a part of it."""
        raise UsageError("SSTP does not renew its keys", "use survivesRekey with IkeV2")

    async def ended(self, limit: float) -> str:
        """Until the program has no tunnel; its last words."""

        async def gone() -> bool:
            return await self.connection() is None

        await wait_until(f"{self._node.name}: the SSTP tunnel is down", limit, gone)
        said = str(self._event("ended").get("why", "sstp_python is not running"))
        await self.disconnect()
        return said

    async def _place(self) -> list[str]:
        """Put the user's secrets into files; the program's arguments."""
        files: dict[str, str | bytes] = {ROOT: self._profile.server_root}
        words = [self._profile.server, "--root", ROOT, "--interface", INTERFACE]
        if isinstance(self._user, UserCertificate):
            chain = (self._user.certificate_pem, *self._user.intermediates_pem)
            files |= {CHAIN: b"".join(chain), KEY: self._user.key_pem}
            if self._profile.radius_root:
                files[RADIUS_ROOT] = self._profile.radius_root
                words += ["--eap-root", RADIUS_ROOT]
            words += [f"--user={self._user.common_name}", "--certificate", CHAIN, "--key", KEY]
        else:
            files[PASSWORD] = self._user.password
            words += [f"--user={self._user.name}", "--password-file", PASSWORD]
        for path, content in files.items():
            await self._node.write(path, content, 0o600)
        return [
            *words,
            *(word for route in self._profile.routes for word in ("--route", route)),
            *(("--proxy", f"{self._proxy[0]}:{self._proxy[1]}") if self._proxy else ()),
            *(("--maximum-tls", self._tls.maximum) if self._tls.maximum else ()),
            *(word for suite in self._tls.ciphers for word in ("--cipher", suite)),
        ]

    async def _start(self, words: list[str]) -> None:
        """The log is the node's and lives longer than a dial, so that is marked."""
        self._mark = secrets.token_hex(8)
        program = [sys.executable, "-m", "lab.clients.sstp_python", *words]
        argv = ["sh", "-c", f'echo "dial {self._mark}" && exec "$@"', "sh", *program]
        self._process = await self._node.spawn(argv, log="sstp")
        self._log = self._process.log

    def _settled(self) -> bool:
        over = self._process is None or self._process.code is not None
        return over or bool(self._event("up"))

    def _refusal(self) -> RefusedError:
        agreed, refused = self._event("agreed"), self._event("refused")
        if agreed:
            raise LabError(f"the gateway agreed to cipher suite {agreed['suite']:#06x}, which it "
                           "should refuse; this client cannot go on from there")  # fmt: skip
        if not refused and not self._event("ended"):
            raise LabError(f"{self._node.name}: sstp_python: {self._said()[-1000:]}")
        # Without a refusal it was up for a moment.
        message = refused.get("message") or str(self._event("ended")["why"])
        reason: Reason = refused.get("reason", "refused")
        return RefusedError(self.protocol, reason, message, self._seconds)

    def _said(self) -> str:
        if self._log is None:
            return ""
        return whole(self._log).partition(self._mark)[2]

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._said().split("\n")[:-1]:  # the last is not whole yet
            if line.startswith("{"):
                yield json.loads(line)

    def _event(self, name: str) -> dict[str, Any]:
        """The last of this name in this dial, or nothing."""
        return next((e for e in reversed(list(self._events())) if e["event"] == name), {})
