"""Dials the gateway bench over each protocol with certificates of any kind.

IKEv2 by tests.rigs.ike_attacker, SSTP by tests.rigs.sstp_caller, OpenVPN by the real program.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from gateway.common.vocabulary import VpnProtocol
from gateway.ppp.config import ClientConfig
from gateway.sstp.protocol.events import Connected
from lab.clients.openvpn import OpenVpn
from lab.clients.profile import read_profile
from lab.clients.user import UserCertificate
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.rigs import forged
from tests.rigs.forged import Forged
from tests.rigs.gateway_bench import FQDN, PRIVATE, PUBLIC, Bench
from tests.rigs.ike_attacker import IkeAttacker, Manner, Outcome, by_eap_tls
from tests.rigs.sstp_bench import off, tcp
from tests.rigs.sstp_caller import SstpCaller

RECORD_LIMIT = 5.0


def tls_context(shown: Forged) -> SSL.Context:
    """EAP-TLS with a certificate that OpenSSL need only be able to read, at any level of security;
    whoever the server is."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as directory:
        chain, key = Path(directory, "chain.pem"), Path(directory, "key.pem")
        chain.write_bytes(b"".join(forged.pem(der) for der in (shown.der, *shown.others)))
        key.write_bytes(shown.key_pem)
        context.use_certificate_chain_file(str(chain))
        context.use_privatekey_file(str(key))
    return context


@dataclass
class Inside:
    """A connected client: `alive` asks the gateway, `leave` disconnects."""

    address: str
    alive: Callable[[], Any]
    leave: Callable[[], Any]


@dataclass
class Dialling:
    """Dials the gateway with odd certificates."""

    bench: Bench
    public: str = PUBLIC
    name: str = FQDN
    _profile: Any = None

    async def ike(self, node: str, manner: Manner) -> tuple[IkeAttacker, Outcome]:
        """Dial over IKEv2 in the given manner."""
        line = await self.bench.nodes[node].call(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        )
        attacker = IkeAttacker(line, self.public, manner)
        return attacker, await off(attacker.dial)

    async def dial(self, protocol: VpnProtocol, shown: Forged, node: str = "pc1") -> Inside | None:
        """Dial with a certificate; None: refused."""
        ways = {"IkeV2": self._ike, "SSTP": self._sstp, "OpenVPN": self._openvpn}
        return await ways[protocol](shown, node)

    async def _ike(self, shown: Forged, node: str) -> Inside | None:
        attacker, outcome = await self.ike(node, by_eap_tls(shown))

        async def alive() -> bool:
            return await off(attacker.alive)

        async def leave() -> None:
            await off(attacker.hang_up)

        return Inside(str(outcome.address), alive, leave) if outcome.established else None

    async def _sstp(self, shown: Forged, node: str) -> Inside | None:
        stream = await tcp(self.bench, node, self.public)
        root = self.bench.credentials["public-root"].certificate
        user = ClientConfig(user="mallory", eap_tls=tls_context(shown))
        unused = self.bench.credentials["public-root"]
        caller = await off(lambda: SstpCaller(stream, self.name, unused, root, user=user))
        if not isinstance(await off(caller.dial), Connected):
            caller.close()
            return None

        async def alive() -> bool:
            return await off(lambda: caller.ping(PRIVATE))

        async def leave() -> None:
            await off(caller.hang_up)

        return Inside(str(caller.call.address), alive, leave)

    async def _openvpn(self, shown: Forged, node: str) -> Inside | None:
        if self._profile is None:
            wanted = {"authenticationMethod": "EAPTLS"}
            self._profile = read_profile(await self.bench.gateway.profile(wanted))
        above = tuple(forged.pem(der) for der in shown.others)
        user = UserCertificate(forged.pem(shown.der), shown.key_pem, above)
        program = OpenVpn(self.bench.nodes[node], self._profile, user)
        try:
            connection = await program.connect()
        except RefusedError:
            return None

        async def alive() -> bool:
            ping = ["ping", "-c", "1", "-W", "1", "-I", connection.interface, PRIVATE]
            return (await self.bench.nodes[node].run(ping)).code == 0

        return Inside(connection.address, alive, program.disconnect)

    async def verdict(self, protocol: VpnProtocol, shown: Forged, node: str = "pc1") -> str:
        """Dial and leave: "connected", or the reason of the gateway's record."""
        before = len(await self._refusals(protocol))
        inside = await self.dial(protocol, shown, node)
        if inside:
            await self.sessions_of(inside.address, 1)
            await inside.leave()
            await self.sessions_of(inside.address, 0)
            return "connected"

        async def told() -> Sequence[dict[str, Any]]:
            return (await self._refusals(protocol))[before:]

        return str((await wait_until(f"why {protocol} refused", RECORD_LIMIT, told))[-1]["reason"])

    async def _refusals(self, protocol: VpnProtocol) -> list[dict[str, Any]]:
        records = await self.bench.records("refused")
        return [record for record in records if record["protocol"] == protocol]

    async def sessions_of(self, address: str, count: int) -> None:
        """Wait until the gateway has this many sessions."""

        async def shown() -> bool:
            rows = await self.bench.gateway.sessions()
            return [row["privateIpAddress"] for row in rows].count(address) == count

        await wait_until(f"{count} sessions of {address}", RECORD_LIMIT, shown)
