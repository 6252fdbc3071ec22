"""A client computer: fetches the profile and dials in its operating system's order."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from gateway.common.errors import NotFoundError
from lab.clients.openvpn import OpenVpn
from lab.clients.persona import offered
from lab.clients.profile import Profile, read_profile
from lab.clients.resolver import Resolver
from lab.clients.sstp import Sstp
from lab.clients.sstp_python_driver import PythonSstp
from lab.clients.strongswan import StrongSwan
from lab.clients.user import UserCertificate, UserPassword, open_p12
from lab.nodes.base import Node
from lab.pki.authority import Credential
from lab.roles.gateway import GatewayRefusedError
from lab.side_by_side import at_once
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import Connection, Driver, RefusedError
from lab.world import GatewayHandle

DIALS = 16
"""Concurrent dials per processor: a dial with a second factor may take half a minute."""
User = UserCertificate | UserPassword


class Computer:
    """lab.world.ClientComputer: at most one tunnel at a time."""

    def __init__(
        self,
        plan: ClientPlan,
        *,
        node: Node,
        access: Node,
        gateway: GatewayHandle,
        credential: Credential | None,
        radius_root: Credential | None = None,
    ) -> None:
        self.name = plan.name
        self.node = node
        self.access = access
        self.gateway = gateway
        self.user = plan.user or (credential.common_name if credential else plan.name)
        presented = None if plan.user else credential
        self.thumbprint = presented.thumbprint if presented else None
        self.serial = str(presented.certificate.serial_number) if presented else None
        self._plan = plan
        self._credential = credential
        self._radius_root = radius_root
        self._driver: Driver | None = None
        self._profile: Profile | None = None
        self._user: UserCertificate | None = None
        self._resolver = Resolver(node)

    async def dial(self, over: VpnProtocol | None = None) -> tuple[Connection, list[Exception]]:
        """Connect, trying the protocols in order; the connection and the failures before it.

        RefusedError of the last protocol if none connects.
        """
        await self.hang_up()
        profile = await self._fetch_profile(over or self._plan.protocols[0])
        failures: list[Exception] = []
        for protocol in (over,) if over else self._plan.protocols:
            await self._resolver.save()
            try:
                self._driver = await self._set_up(protocol, profile)
                async with at_once("dials", DIALS):
                    return await self._driver.connect(), failures
            except RefusedError as error:
                failures.append(error)
                await self._restore_resolver()
        raise failures[-1]

    async def _fetch_profile(self, first: VpnProtocol) -> Profile:
        """The gateway's profile of now; after the gateway was deleted, the last one that the user
        got."""
        try:
            self._profile = read_profile(await self.gateway.profile(self._wanted()))
        except GatewayRefusedError as error:
            if error.azure != NotFoundError.code:
                raise
            if self._profile is None:
                message = f"there is no gateway {self.gateway.name}, and no profile of it"
                raise RefusedError(first, "no-answer", message, 0.0) from None
        return self._profile

    async def connection(self) -> Connection | None:
        """The current tunnel, if any."""
        return await self._driver.connection() if self._driver else None

    async def hang_up(self) -> None:
        """End the tunnel."""
        if self._driver:
            await self._driver.disconnect()
        await self._restore_resolver()

    async def _restore_resolver(self) -> None:
        """Whatever a program left behind, the next dial uses the computer's own DNS servers."""
        await self._resolver.restore()

    async def restart(self) -> None:
        """Restart the computer: all programs end, and it dials nothing."""
        self._driver = None
        self._resolver = Resolver(self.node)
        await self.node.reboot()

    async def rekey(self) -> None:
        """Renew the tunnel's keys."""
        await self._connected().rekey()

    async def ended(self, limit: float) -> str:
        """Wait up to `limit` seconds for the tunnel's end; the client program's message."""
        if not self._driver:
            return "nothing was dialled"
        message = await self._driver.ended(limit)
        await self._restore_resolver()
        return message

    def _connected(self) -> Driver:
        if self._driver is None:
            raise RefusedError("IkeV2", "refused", f"{self.name} has not dialled", 0.0)
        return self._driver

    async def _set_up(self, protocol: VpnProtocol, profile: Profile) -> Driver:
        """The program for a protocol, with the profile and the user's certificate or password."""
        sstp = PythonSstp if self._plan.sstp_client == "python" else Sstp
        drivers: dict[VpnProtocol, Callable[[User], Driver]] = {
            "IkeV2": lambda user: StrongSwan(
                self.node, profile, user, offered(self._plan.os, profile.ipsec, self._plan.ike)
            ),
            "SSTP": lambda user: sstp(self.node, profile, user, self._plan.proxy, self._plan.tls),
            "OpenVPN": lambda user: OpenVpn(
                self.node, profile, _certificate(protocol, user), self._plan.proxy
            ),
        }
        if protocol not in profile.protocols or protocol not in drivers:
            names = ", ".join(profile.protocols)
            message = f"the profile offers {names}, not {protocol}"
            raise RefusedError(protocol, "no-protocol", message, 0.0)
        return drivers[protocol](await self._sign_in(protocol))

    async def _sign_in(self, protocol: VpnProtocol) -> User:
        if self._plan.user and self._plan.password:
            return UserPassword(self._plan.user, self._plan.password.get_secret_value())
        if self._credential is None:
            message = f"{self.name} has no certificate"
            raise RefusedError(protocol, "no-certificate", message, 0.0)
        if self._user is None:
            # The .p12's password, as if it had been sent separately from the file.
            password = secrets.token_urlsafe(12)
            self._user = await open_p12(self.node, self._credential.p12(password), password)
        return self._user

    def _wanted(self) -> dict[str, str]:
        """The parameters of ARM's generatevpnprofile."""
        if self._plan.user:
            return {"authenticationMethod": "EAPMSCHAPv2"}
        root = self._radius_root
        data = {"radiusServerAuthCertificate": root.public_cert_data} if root else {}
        return {"authenticationMethod": "EAPTLS", **data}


def _certificate(protocol: VpnProtocol, user: User) -> UserCertificate:
    if isinstance(user, UserCertificate):
        return user
    raise RefusedError(protocol, "no-certificate", "the user has a password, no certificate", 0.0)
