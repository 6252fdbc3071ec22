"""A client computer's SSTP: the real sstpc and pppd, configured from profile and credentials."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence

from lab.clients.dial_output import DialOutput
from lab.clients.profile import Profile
from lab.clients.reasons import SSTP, judge
from lab.clients.resolver import Resolver
from lab.clients.server_name import NameCheck, compare_name
from lab.clients.sstp_options import (
    CHAIN,
    IPC_DIRECTORY,
    KEY,
    OPENSSL,
    OPTIONS,
    RADIUS_ROOT,
    ROOT,
    dial_limit,
    openssl_limits,
    pppd_command,
    pppd_options,
)
from lab.clients.user import User, UserCertificate
from lab.errors import LabError, MachineError, UsageError
from lab.nodes.base import Node, Process
from lab.topology.model.vocabulary import Reason, VpnProtocol
from lab.topology.planning.plan import TlsLimits
from lab.vpn_client import Connection, RefusedError
from lab.waiting import wait_until

UNREACHED_LIMIT = 3.0
"""Seconds for sstpc after openssl got no answer; sstpc's own limit is half a minute."""
LEAVE_LIMIT = 5.0
"""Seconds for pppd to close the link (LCP Terminate-Request) before it is killed."""
_STAMP = re.compile(r"^\w{3} +\d+ [\d:]+ sstpc\[\d+\]: ")
_NOISE = re.compile(
    r"(sent|rcvd) \[|[Ss]cript |Waiting for |Plugin |using channel |tcflush |Child process |Sent \d"
    r"|Received \d|Connect time|SSTP session was|Could not remove socket"
)
"""pppd's lines about packets, child processes and totals."""
_NO_PPP = re.compile(r"lacks kernel support for PPP|/dev/ppp")
_TOO_FAST = "event loop terminated unsuccessfully"
_TOO_FAST_REMEDY = "sstpc 1.0.18 fails like this on links without latency: add some (tc netem)"
_ADDRESS = re.compile(r"^local +IP address (\S+)", re.MULTILINE)
_DNS = re.compile(r"^(?:primary|secondary) +DNS address (\S+)", re.MULTILINE)
"""Of IPCP (RFC 1877)."""
_BINDING = re.compile(r"CONNECTED|CRYPTO BIND|Sending Connected|Connection Established|ABORT")


class Sstp:
    """lab.vpn_client.Driver over pppd, whose pty is sstpc."""

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
        self._tls = tls
        outdated = isinstance(user, UserCertificate) and user.is_outdated
        self._env = {"OPENSSL_CONF": OPENSSL} if tls or outdated else {}
        self._process: Process | None = None
        self._dial = DialOutput()
        self._seconds = 0.0
        self._resolver = Resolver(node)

    async def connect(self) -> Connection:
        """Dial once; RefusedError with the messages of openssl, sstpc and pppd on failure.

        The gateway's name is checked before it receives any of the user's credentials.
        """
        began = time.monotonic()
        await self.disconnect()
        self._dial = DialOutput()
        await self._write_files()
        check = await compare_name(self._node, self._profile.server, ROOT, self._proxy, self._env)
        if check.verdict != "other":
            await self._start()
            patience = dial_limit(self._user, self._profile.radius_root)
            await self._settled(patience if check.verdict == "same" else UNREACHED_LIMIT)
        self._seconds = time.monotonic() - began
        connection = await self.connection() if check.verdict == "same" else None
        if connection is None:
            raise await self._refusal(check)
        await self._set_routes(connection.interface)
        await self._resolver.use(_DNS.findall(self._output()))
        return connection

    async def disconnect(self) -> None:
        """Disconnect: pppd closes the link (LCP Terminate); its routes go with ppp0."""
        if self._process is not None:
            up = _ADDRESS.search(self._output())
            await self._process.stop(LEAVE_LIMIT if up else 0.0)
            self._process = None
        await self._resolver.restore()

    async def connection(self) -> Connection | None:
        """The tunnel in pppd's log, with the address that the kernel has."""
        output = self._output()
        found = re.search(r"^Using interface (\S+)", output, re.MULTILINE)
        if self._process is None or self._process.code is not None or not found:
            return None
        if not _ADDRESS.search(output):
            return None
        interface = found[1]
        done = await self._node.run(["ip", "-json", "address", "show", "dev", interface])
        addresses = [
            str(row["local"])
            for link in (json.loads(done.stdout) if done.code == 0 else [])
            for row in link.get("addr_info", [])
        ]
        if not addresses:
            return None
        return Connection(
            self.protocol,
            addresses[0],
            interface,
            self._seconds,
            f"PPP of {self._node.kernel}",
            self._binding_lines(),
        )

    async def rekey(self) -> None:
        """SSTP does not rekey: it has no TLS renegotiation."""
        raise UsageError("SSTP does not rekey", "use survivesRekey with IkeV2")

    async def ended(self, limit: float) -> str:
        """Wait until pppd has ended; the last messages of pppd and sstpc."""

        def gone() -> bool:
            return self._process is None or self._process.code is not None

        await wait_until(f"{self._node.name}: the SSTP tunnel is down", limit, gone)
        await self._resolver.restore()
        return "; ".join(_messages(self._output())[-3:]) or "pppd is not running"

    async def _write_files(self) -> None:
        files: dict[str, str | bytes] = {
            OPTIONS: pppd_options(
                self._user,
                radius=bool(self._profile.radius_root),
                eap_maximum=self._tls.eap_maximum if self._tls else None,
            ),
            ROOT: self._profile.server_root,
        }
        if self._profile.radius_root:
            files[RADIUS_ROOT] = self._profile.radius_root
        if isinstance(self._user, UserCertificate):
            files |= {CHAIN: self._user.chain_pem, KEY: self._user.key_pem}
        if self._env:
            files[OPENSSL] = openssl_limits(self._tls or TlsLimits())
        for path, content in files.items():
            await self._node.write(path, content, 0o600)

    async def _start(self) -> None:
        """Start pppd; a mark in the log separates this dial from earlier ones."""
        self._dial = DialOutput()
        command = f'mkdir -p {IPC_DIRECTORY} && echo "{self._dial.mark}" && exec "$@"'
        argv = ["sh", "-c", command, "sh", *pppd_command(self._profile.server, self._proxy)]
        self._process = await self._node.spawn(argv, log="sstpc", env=self._env)
        self._dial.log = self._process.log

    async def _settled(self, limit: float) -> None:
        """Wait until the tunnel is up, pppd has ended, or the time is over."""
        process = self._process
        assert process is not None

        def settled() -> bool:
            return process.code is not None or bool(_ADDRESS.search(self._output()))

        try:
            await wait_until(f"{self._node.name}: pppd is up or has ended", limit, settled)
        except TimeoutError:
            return

    async def _refusal(self, check: NameCheck) -> RefusedError:
        """The refusal, from the messages of openssl, sstpc and pppd."""
        process, lines = self._process, [*check.lines]
        own: dict[str, Reason] = {} if check.reached else dict.fromkeys(lines, "no-answer")
        if process and process.code is None and check.verdict == "unknown":
            lines.append("the gateway's name could not be compared")
            own[lines[-1]] = "server-untrusted"
        await self.disconnect()
        lines += _messages(self._output())
        if process:
            lines.append(f"pppd ended with {process.code}")
        self._raise_local_errors(lines)
        reason, message = judge(SSTP, lines, own)
        return RefusedError(self.protocol, reason, message, self._seconds)

    def _raise_local_errors(self, lines: Sequence[str]) -> None:
        """Raise errors whose cause is the client computer, not the gateway."""
        for line in lines:
            if _NO_PPP.search(line):
                raise MachineError(f"{self._node.name}: pppd: {line}", "use sstpClient: python")
            if _TOO_FAST in line:
                raise LabError(f"{self._node.name}: sstpc: {line}", _TOO_FAST_REMEDY)

    async def _set_routes(self, interface: str) -> None:
        """Split tunnel: route only the profile's prefixes. An equal route of the computer's own,
        such as that of its LAN, stays and comes first."""
        commands = "".join(
            f"route append {route} dev {interface}\n" for route in self._profile.routes
        )
        done = await self._node.run(["ip", "-batch", "-"], input=commands)
        if done.code:
            raise LabError(f"{self._node.name}: the profile's routes cannot be set: {done.output}")

    def _output(self) -> str:
        """The output of this dial's programs so far."""
        return self._dial().replace("\0", "")  # sstpc ends names of unknown messages with one

    def _binding_lines(self) -> tuple[str, ...]:
        """sstpc's lines about the crypto binding."""
        return tuple(line for line in _messages(self._output()) if _BINDING.search(line))


def _messages(output: str) -> Sequence[str]:
    """Lines worth quoting, without sstpc's time stamps."""
    lines = (_STAMP.sub("", line).strip() for line in output.splitlines())
    return [line for line in lines if line and not _NOISE.match(line)]
