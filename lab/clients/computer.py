"""A client computer: fetches the profile and dials in its operating system's order."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.charon.proposals import Proposals, proposals
from gateway.common.errors import NotFoundError
from gateway.policy.diagnostics import now as attempt_time
from lab.clients.host_routes import HostRoutes
from lab.clients.library_errors import UNUSABLE, refusal
from lab.clients.mobileconfig import AppleSettings
from lab.clients.openvpn import OpenVpn
from lab.clients.origin import Origin
from lab.clients.persona import offered
from lab.clients.profile import Profile, read_profile, with_server
from lab.clients.resolver import Resolver
from lab.clients.sstp import Sstp
from lab.clients.sstp_python_driver import PythonSstp
from lab.clients.strongswan import StrongSwan
from lab.clients.user import NoCredentials, User, UserCertificate, UserPassword, open_p12
from lab.nodes.base import Node
from lab.pki.authority import Credential
from lab.roles.gateway import GatewayRefusedError
from lab.side_by_side import at_once
from lab.topology.model.tls import TlsVersion
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import ClientPlan, TlsLimits
from lab.vpn_client import Connection, Dialled, Driver, NotDialledError, RefusedError
from lab.waiting import wait_until
from lab.world import Attempted, End, GatewayHandle, end_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.rotation import Place

DIALS = 16
"""Concurrent dials per processor: a dial with a second factor may take half a minute."""
SESSION_LIMIT = 2.0
"""Seconds within which the gateway has the session of a tunnel that its client calls up."""
LEAVE_LIMIT = 5.0
"""Seconds within which a program takes away the address of a tunnel that is down."""
_APPLES = ("macos", "ios")
"""They read the mobileconfig."""


class Computer:
    """lab.world.ClientComputer: at most one tunnel at a time."""

    def __init__(
        self,
        plan: ClientPlan,
        *,
        node: Node,
        access: Node,
        address: str,
        gateway: GatewayHandle,
        gateway_addresses: Mapping[str, str] | None = None,
        credential: Credential | None,
        others: Sequence[Credential] = (),
        proxy: Node | None = None,
        radius_root: Credential | None = None,
        written: Callable[[], Mapping[str, Mapping[Path, Place]]] = dict,
    ) -> None:
        """`gateway`: its own. `gateway_addresses`: the public address of each, by name; those that
        are left out are not known. `written`: the current ends of the RADIUS servers' logs, by
        node."""
        self.name = plan.name
        self._written = written
        self.node = node
        self.access = access
        self.gateway = self.own_gateway = gateway
        self._gateway_addresses = gateway_addresses or {}
        self.user = plan.user or (credential.common_name if credential else plan.name)
        presented = None if plan.user else credential
        self.thumbprint = presented.thumbprint if presented else None
        self.certificates: Sequence[Credential] = (presented, *others) if presented else ()
        self.session = ""
        self.dialled_until = -math.inf
        self.system = plan.system
        self.last_dial: Dialled | None = None
        self.attempts: frozenset[Attempted] = frozenset()
        self._packages: dict[str, tuple[bytes, float]] = {}
        """What its user got last, and when, by gateway."""
        self._kept: set[str] = set()
        """The gateways whose package it dials with until its user takes another."""
        self._plan = plan
        via = (plan.proxy[0], proxy) if plan.proxy and proxy else None
        self._origin = Origin(address, access, "", via)
        self._credential = credential
        self._radius_root = radius_root
        self._driver: Driver | None = None
        self._user: UserCertificate | None = None
        self._resolver = Resolver(node)
        self._host_routes = HostRoutes(node)
        self._turn = asyncio.Lock()
        """One at a time dials, hangs up or restarts: an explanation may dial beside steps."""

    async def profile(self) -> bytes:
        """The VPN client package (zip) from the gateway, as this client asks for it."""
        return await self.gateway.profile(self._wanted())

    async def take_profile(self) -> None:
        """Take the gateway's package of now, and dial with it from then on."""
        await self._take()
        self._kept.add(self.gateway.name)

    async def _take(self) -> None:
        package, at = await self.profile(), time.time()
        server = self._plan.server
        self._packages[self.gateway.name] = (
            with_server(package, server) if server else package,
            at,
        )

    @property
    def package(self) -> bytes:
        """The VPN client package that its user got last from the gateway; empty: none."""
        return self._packages.get(self.gateway.name, (b"", 0.0))[0]

    @property
    def package_at(self) -> float:
        """When its user got it (time.time())."""
        return self._packages.get(self.gateway.name, (b"", 0.0))[1]

    async def dial(
        self, over: VpnProtocol | None = None, *, to: GatewayHandle | None = None
    ) -> tuple[Connection, list[Exception]]:
        """Connect, trying the protocols in order; the connection and the failures before it. The
        tunnel that stands ends first: a computer is connected to one VNet at a time.

        RefusedError of the last protocol that could be dialled if none connects.
        """
        async with self._turn:
            self.dialled_until = math.inf
            began, at, written = attempt_time(), time.time(), self._written()
            failures: list[RefusedError] = []
            connection = None
            try:
                await self._hang_up()
                self.session = ""
                self._choose(to or self.own_gateway)
                connection = await self._dial(over, began, failures)
            except asyncio.CancelledError:  # nobody waits for it any more
                await self._hang_up()
                raise
            finally:
                self.dialled_until = time.monotonic()
                self.last_dial = Dialled(began, at, tuple(failures), written, connection)
            return connection, [*failures]

    async def dial_again(self, over: VpnProtocol) -> bool:
        """Dial as before and hang up, leaving no trace in `last_dial`; False: it is connected or
        dialling, and was left alone."""
        if self._turn.locked():
            return False
        async with self._turn:
            if await self.connection() is not None:
                return False
            session = self.session
            try:
                await self._hang_up()
                await self._dial(over, attempt_time(), [])
            except RefusedError:
                pass
            finally:
                await self._hang_up()
                self.session = session
            return True

    async def _dial(
        self, over: VpnProtocol | None, began: str, failures: list[RefusedError]
    ) -> Connection:
        """The connection; the failures before it are added to `failures`."""
        try:
            profile = await self._fetch_profile(over or self._plan.protocols[0])
        except RefusedError as error:
            failures.append(error)
            raise
        for protocol in (over,) if over else self._plan.protocols:
            await self._resolver.save()
            try:
                # A route to just this host would say the opposite, and charon refuses it.
                carriers = await self._host_routes.keep(self._carrier(protocol, profile))
                self._driver = await self._set_up(protocol, profile.without_hosts(carriers))
                async with at_once("dials", DIALS):
                    connection = await _connected(self._driver)
            except RefusedError as error:
                failures.append(error)
                await self._restore()
            else:
                self.session = await self._session_of(connection, began)
                return connection
        dialled = [one for one in failures if not isinstance(one, NotDialledError)]
        raise (dialled or failures)[-1]

    def _choose(self, gateway: GatewayHandle) -> None:
        self.gateway = gateway
        address = self._gateway_addresses.get(gateway.name, "")
        self._origin = replace(self._origin, gateway=address)

    @property
    def proxy(self) -> tuple[str, int] | None:
        """Address and port of the proxy through which it dials."""
        return self._plan.proxy

    async def made(self, protocol: VpnProtocol, ends: Collection[End]) -> set[End]:
        """Those of the connections, seen by the gateway in the last seconds, that are this
        computer's."""
        return await self._origin.made(protocol, ends)

    async def _session_of(self, connection: Connection, began: str) -> str:
        """The gateway's session of a tunnel that has just come up; empty if it has none.

        The gateway gives an address to one session at a time; it must also have been asked for by
        this computer, after `began`. Of a proxy's open connection nobody knows the client.
        """

        async def known() -> str:
            rows = [
                row
                for row in await self.gateway.sessions()
                if row["protocol"] == connection.protocol
                and row["privateIpAddress"] == connection.address
                and row["attemptTime"] >= began
            ]
            own = {end_of(row) for row in rows}
            if self._plan.proxy is None:
                own = await self.made(connection.protocol, own)
            return next((row["vpnConnectionId"] for row in rows if end_of(row) in own), "")

        try:
            return await wait_until("the gateway's session", SESSION_LIMIT, known)
        except TimeoutError:
            return ""

    async def _fetch_profile(self, first: VpnProtocol) -> Profile:
        """The profile that the user keeps, or the gateway's of now; where that is deleted or off,
        the last one that the user got."""
        name = self.gateway.name
        try:
            if name not in self._kept:
                await self._take()
        except (GatewayRefusedError, OSError) as error:
            if isinstance(error, GatewayRefusedError) and error.azure != NotFoundError.code:
                raise
            if not self.package:
                message = f"there is no gateway {name}, and no profile of it"
                raise RefusedError(first, "no-answer", message, 0.0) from None
        return read_profile(self.package)

    async def connection(self) -> Connection | None:
        """The current tunnel, if any."""
        return await self._driver.connection() if self._driver else None

    async def hang_up(self) -> None:
        """End the tunnel."""
        async with self._turn:
            await self._hang_up()

    async def _hang_up(self) -> None:
        if self._driver:
            await self._driver.disconnect()
        await self._restore()

    async def _restore(self) -> None:
        """Whatever a program left behind, the next dial uses the computer's own DNS servers."""
        await self._resolver.restore()
        await self._host_routes.remove()

    def _carrier(self, protocol: VpnProtocol, profile: Profile) -> str:
        """The host to which the encrypted packets go: the proxy, except over IKEv2, or the
        gateway."""
        if self._plan.proxy and protocol != "IkeV2":
            return self._plan.proxy[0]
        return profile.host(protocol)

    async def restart(self) -> None:
        """Restart the computer: all programs end, and it dials nothing."""
        async with self._turn:
            self._driver = None
            self._resolver = Resolver(self.node)
            self._host_routes = HostRoutes(self.node)
            await self.node.reboot()

    async def install_updates(self) -> tuple[str, ...]:
        """Install the updates, set the registry values, and restart; what was missing."""
        missing = self.system.missing()
        self.system = self.system.prepared()
        await self.restart()
        return missing

    async def rekey(self) -> None:
        """Renew the tunnel's keys."""
        await self._connected().rekey()

    async def ended(self, limit: float) -> str:
        """Wait up to `limit` seconds for the tunnel's end; the client program's message. What the
        program does then, such as dialling again, is left to it."""
        if not self._driver:
            return "nothing was dialled"
        message = await self._driver.ended(limit)

        async def left() -> bool:
            return not await self.leased()

        await wait_until(f"{self.name}: the tunnel's address is gone", LEAVE_LIMIT, left)
        await self._restore()
        return message

    async def leased(self) -> list[str]:
        """The kernel's addresses besides the computer's own: a tunnel's, whoever made it."""
        done = await self.node.run(["ip", "-json", "-4", "address", "show", "scope", "global"])
        found = [row["local"] for link in json.loads(done.stdout) for row in link["addr_info"]]
        return [address for address in found if address != self._origin.address]

    def _connected(self) -> Driver:
        if self._driver is None:
            raise RefusedError("IkeV2", "refused", f"{self.name} has not dialled", 0.0)
        return self._driver

    async def _set_up(self, protocol: VpnProtocol, profile: Profile) -> Driver:
        """The program for a protocol, with the profile and the user's certificate or password."""
        self._check_system(protocol, profile)
        if protocol == "IkeV2" and self.system.os in _APPLES:
            profile = profile.as_apples()
        sstp = PythonSstp if self._plan.sstp_client == "python" else Sstp
        drivers: dict[VpnProtocol, Callable[[User], Driver]] = {
            "IkeV2": lambda user: StrongSwan(
                self.node,
                profile,
                user,
                offered(self.system.os, self._asked(profile), self._plan.ike),
                self._eap_limits(),
            ),
            "SSTP": lambda user: sstp(self.node, profile, user, self._plan.proxy, self._tls()),
            "OpenVPN": lambda user: OpenVpn(
                self.node,
                profile,
                _no_password(protocol, user),
                self._plan.proxy,
                self._plan.tls,
                proxy_user=self._proxy_user(),
            ),
        }
        if protocol not in profile.protocols or protocol not in drivers:
            names = ", ".join(profile.protocols)
            message = f"the profile offers {names}, not {protocol}"
            raise NotDialledError(protocol, "no-protocol", message, 0.0)
        user = await self._sign_in()
        if profile.identity and profile.apple:
            _check_method(profile.apple, user)
        return drivers[protocol](user)

    def _check_system(self, protocol: VpnProtocol, profile: Profile) -> None:
        """NotDialledError if the operating system, as it is now, does not dial the protocol."""
        if self.system.windows and not self.system.administrator:
            message = f"the user of {self.name} has no administrator rights"
            raise NotDialledError(protocol, "administrator", message, 0.0)
        radius = self._plan.user is not None or bool(profile.radius_root)
        message = self.system.why_not(protocol, radius=radius)
        if message:
            raise NotDialledError(protocol, "system", message, 0.0)

    def _asked(self, profile: Profile) -> Proposals | None:
        """The proposals that the profile asks for, where this operating system reads them."""
        if self.system.os in _APPLES:
            return profile.apple.proposals if profile.apple else None
        return proposals(profile.ipsec) if profile.ipsec else None

    def _tls(self) -> TlsLimits | None:
        """The limits of SSTP: of its user and of its operating system, whichever are narrower."""
        limits = replace(self._limits(self.system.sstp_tls), eap_maximum=self.system.eap_tls)
        return None if limits == TlsLimits() else limits

    def _eap_limits(self) -> TlsLimits:
        """The same of EAP-TLS over IKEv2."""
        return self._limits(self.system.eap_tls)

    def _limits(self, of_system: TlsVersion | None) -> TlsLimits:
        own = self._plan.tls or TlsLimits()
        versions = [one for one in (own.maximum, of_system) if one]
        return replace(own, maximum=min(versions, default=None))

    async def _sign_in(self) -> User:
        if self._plan.user and self._plan.password:
            return UserPassword(self._plan.user, self._plan.password.get_secret_value())
        if self._credential is None:
            return NoCredentials(self.user)
        if self._user is None:
            # The .p12's password, as if it had been sent separately from the file.
            password = secrets.token_urlsafe(12)
            self._user = await open_p12(self.node, self._credential.p12(password), password)
        return self._user

    def _proxy_user(self) -> UserPassword | None:
        """As whom it uses the proxy."""
        name, password = self._plan.proxy_user, self._plan.proxy_password
        return UserPassword(name, password.get_secret_value()) if name and password else None

    def _wanted(self) -> dict[str, str]:
        """The parameters of ARM's generatevpnprofile."""
        windows = self.system.windows
        computer = {"processorArchitecture": self.system.architecture} if windows else {}
        if self._plan.user:
            return {**computer, "authenticationMethod": "EAPMSCHAPv2"}
        root = self._radius_root if self.gateway.name in self._plan.radius_at else None
        data = {"radiusServerAuthCertificate": root.public_cert_data} if root else {}
        return {**computer, "authenticationMethod": "EAPTLS", **data}


def _check_method(told: AppleSettings, user: User) -> None:
    """NotDialledError if the mobileconfig asks for another proof than the user has. Who has none
    dials all the same."""
    has_none = isinstance(user, NoCredentials)
    if not has_none and told.certificate != isinstance(user, UserCertificate):
        asked = "a certificate" if told.certificate else "a password"
        raise NotDialledError("IkeV2", "no-certificate", f"the mobileconfig asks for {asked}", 0.0)


async def _connected(driver: Driver) -> Connection:
    """Dial; a library that does not take the user's certificate refuses, as a program does."""
    try:
        return await driver.connect()
    except RefusedError:
        raise
    except Exception as error:
        message = refusal(error)
        if message is None:
            raise
        await driver.disconnect()
        raise RefusedError(driver.protocol, UNUSABLE, message, 0.0) from error


def _no_password(protocol: VpnProtocol, user: User) -> UserCertificate | NoCredentials:
    """Azure's profile for OpenVPN has no place for a password."""
    if isinstance(user, UserPassword):
        message = "the user has a password, no certificate"
        raise NotDialledError(protocol, "no-certificate", message, 0.0)
    return user
