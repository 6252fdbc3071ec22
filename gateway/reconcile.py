"""Desired state -> running engines. Changing a running gateway is the ordinary case.

The order matters for safety: admission gets the new policy first, so that nobody is admitted under
the old one; then engines change; then sessions that the new policy does not allow are ended.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from importlib import import_module
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Literal

from gateway.arm.documents import parse
from gateway.arm.resource import VirtualNetworkGateway, VpnClientConfiguration
from gateway.arm.rules.rulebook import Network, violations
from gateway.arm.sku import SKUS
from gateway.charon import datapath
from gateway.charon.daemon import Charon
from gateway.common.errors import (
    Detail,
    EngineError,
    FenceError,
    GatewayError,
    InvalidDocumentError,
    NotFoundError,
)
from gateway.common.files import make_private_directory
from gateway.common.waiting import wait_until
from gateway.daemons.daemon import START_LIMIT
from gateway.daemons.hold import Hold
from gateway.eap_tls.service import EapTls
from gateway.engine import EngineContext, Settings
from gateway.forwarding.reach import Reach
from gateway.policy.admission import Admission, Policy
from gateway.policy.pool import divide
from gateway.policy.protocols import PROTOCOLS
from gateway.policy.radius_path import RadiusPath
from gateway.policy.refusals import BoundedLog
from gateway.policy.sessions import Sessions
from gateway.policy.trust import load_public_cert_data, thumbprint
from gateway.s2s.sites import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ipaddress import IPv4Network
    from pathlib import Path

    from cryptography.x509 import Certificate

    from gateway.arm.ipsec import IpsecPolicy
    from gateway.arm.placement import Placement
    from gateway.common.vocabulary import VpnProtocol
    from gateway.engine import Engine
    from gateway.forwarding.aggregate import Aggregate
    from gateway.forwarding.fence import Fence
    from gateway.policy.sessions import Session


class Gateway:
    """The gateway: an ARM document, and the engines that implement it."""

    def __init__(
        self,
        placement: Placement,
        state: Path,
        log: BoundedLog,
        fence: Fence,
        aggregate: Aggregate | None = None,
    ) -> None:
        """`aggregate`: the limit of throughput; None: there is none."""
        self.placement = placement
        self.log = log
        self._fence = fence
        self._aggregate = aggregate
        self.sessions = Sessions(fence)
        self._state = state
        self._admission = Admission(self.sessions)
        self._engines: dict[VpnProtocol, Engine] = {}
        self._holds = {protocol: Hold() for protocol in PROTOCOLS}
        self._charon = Charon(state / "ikev2", self.log, self._holds["IkeV2"])
        self._eap_tls = EapTls(placement, state / "eap-tls", self._log_eapd)
        self.site_to_site = Connections(placement, self._charon, state / "bgp", self._learnt)
        self._radius = RadiusPath(placement, self.site_to_site, datapath.fence)
        self._resource: VirtualNetworkGateway | None = None
        self._changing = asyncio.Lock()
        self._deleting = False

    # ---------------------------------------------------------------------------- desired state

    @property
    def resource(self) -> VirtualNetworkGateway:
        """The current document. NotFoundError: there is none yet."""
        if self._resource is None:
            raise NotFoundError(f"the gateway {self.placement.name} has no document yet: PUT one")
        return self._resource

    @property
    def configuration(self) -> VpnClientConfiguration:
        """The document's point-to-site part; empty if there is none."""
        return self.resource.properties.vpnClientConfiguration or VpnClientConfiguration()

    @property
    def ipsec(self) -> IpsecPolicy | None:
        """The only algorithms for clients over IKEv2; None: Azure's default ones."""
        return next(iter(self.configuration.vpnClientIpsecPolicies), None)

    @property
    def routes(self) -> tuple[IPv4Network, ...]:
        """Destinations sent into the tunnel: the VNet's prefixes, then custom routes."""
        custom = self.resource.properties.customRoutes
        texts = custom.addressPrefixes if custom else ()
        network = self.placement.virtualNetwork.addressPrefixes
        return tuple(dict.fromkeys((*network, *_networks(texts))))

    def document(self) -> dict[str, Any]:
        """GET: the document without secrets, with its provisioningState."""
        document = self.resource.document()
        states = {engine.report().state for engine in self._engines.values()}
        change = "Deleting" if self._deleting else "Updating"
        word = change if self._changing.locked() else "Succeeded"
        failed = "failed" in states or not self._fence.encloses
        document["properties"]["provisioningState"] = "Failed" if failed else word
        return document

    async def put(self, data: object) -> dict[str, Any]:
        """PUT: refuse the document, or reconcile the engines with it.

        InvalidDocumentError: nothing has changed. EngineError: the new document is in force and the
        engine keeps trying; GET returns `Failed` until it is up.
        """
        async with self._changing:
            self._resource = self._read(data)
            await self._reconcile()
        return self.document()

    async def reset(self) -> dict[str, Any]:
        """ARM's reset: another instance takes over. Sessions end, and tunnels are set up anew."""
        async with self._changing:
            assert self.resource
            for session in self.sessions:
                self.sessions.bar(session)
            stops = (self._stop_engine(name) for name in list(self._engines))
            await asyncio.gather(self.site_to_site.stop(), *stops, return_exceptions=True)
            await self._reconcile()
        return self.document()

    async def delete(self) -> bool:
        """DELETE: end all sessions and engines, and forget the document, its secrets and keys.

        False: there is no gateway. InvalidDocumentError: it has connections, and nothing has
        changed. EngineError: the gateway is deleted, but an engine did not stop in order.
        """
        async with self._changing:
            if self._resource is None:
                return False
            if used := self.site_to_site.names:
                raise InvalidDocumentError(
                    f"{self.placement.name} has connections: {', '.join(used)}; delete them first"
                )
            self._deleting = True
            try:
                await self._close_down()
            finally:
                self._deleting = False
        return True

    async def _close_down(self) -> None:
        """Leave nothing of the gateway; the empty policy and fence come first, then the engines."""
        self._admission.policy = Policy()
        self._fence.enclose(Reach())
        for session in self.sessions:
            self.sessions.bar(session)
        stops = (self._stop_engine(name) for name in list(self._engines))
        results = await asyncio.gather(*stops, self._eap_tls.stop(), return_exceptions=True)
        self._resource = None
        await self._radius.configure(VpnClientConfiguration())
        await self._radius.fence()
        for protocol in PROTOCOLS:
            shutil.rmtree(self._state / protocol.lower(), ignore_errors=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise _together(failures)

    async def put_local_network_gateway(self, name: str, data: object) -> dict[str, Any]:
        """PUT a local network gateway; connections that use it are updated."""
        async with self._changing:
            self.site_to_site.take_local_gateway(name, data, self._resource)
            await self._reconcile_sites()
        return self.site_to_site.local_gateway(name)

    async def put_connection(self, name: str, data: object) -> dict[str, Any]:
        """PUT a connection. Answers when charon has loaded it, before the tunnel is up."""
        async with self._changing:
            self.site_to_site.take_connection(name, data, self.resource)
            await self._reconcile_sites()
        return await self.site_to_site.connection(name)

    async def delete_of_site(
        self, kind: Literal["connections", "localNetworkGateways"], name: str
    ) -> bool:
        """DELETE a resource. False: there is none; InvalidDocumentError: it is in use."""
        async with self._changing:
            if not self.site_to_site.forget(kind, name):
                return False
            await self._reconcile_sites()
        return True

    async def stop(self) -> None:
        """Stop all engines and tunnels."""
        async with self._changing:
            stops = (engine.stop() for engine in self._engines.values())
            await asyncio.gather(self.site_to_site.stop(), *stops)
            await self._eap_tls.stop()
            self._radius.close()
            self._engines.clear()
            if self._aggregate:
                self._aggregate.close()

    def _read(self, data: object) -> VirtualNetworkGateway:
        resource = parse(VirtualNetworkGateway, data, name=self.placement.name)
        resource = resource.with_secrets_of(self._resource)
        details: list[Detail] = []
        if resource.name != self.placement.name:
            message = f"this gateway is {self.placement.name}"
            details.append(Detail("InvalidResourceName", message, "name"))
        prefixes = map(str, self.placement.virtualNetwork.addressPrefixes)
        found = violations(
            resource,
            Network(tuple(prefixes), self.site_to_site.prefixes, len(self.site_to_site.names)),
            deployment=self.placement.deploymentModel,
            former=self._resource,
        )
        details += [violation.detail() for violation in found]
        if details:
            raise InvalidDocumentError("; ".join(d.message for d in details), details)
        return resource

    # ---------------------------------------------------------------------------- reconciliation

    async def _reconcile(self) -> None:
        configuration = self.configuration
        roots = tuple(
            load_public_cert_data(root.properties.publicCertData)
            for root in configuration.vpnClientRootCertificates
        )
        pool = _networks(configuration.vpnClientAddressPool.addressPrefixes)
        parts = divide(pool, configuration.vpnClientProtocols)
        sku = SKUS[self.resource.properties.sku.name]
        kinds = configuration.vpnAuthenticationTypes or ("Certificate",)
        self._admission.policy = Policy(
            authentication=frozenset(kinds),
            roots=frozenset(map(thumbprint, roots)),
            revoked=frozenset(
                revoked.properties.thumbprint.upper()
                for revoked in configuration.vpnClientRevokedCertificates
            ),
            limits={
                "IKEv2/OpenVPN": sku.ikev2_openvpn_connections,
                "SSTP": sku.sstp_connections,
            },
            parts=parts,
        )
        await self._radius.configure(configuration)
        try:
            self._enclose()
        except FenceError:  # no engine is started then, but disallowed sessions are ended
            await self._end_disallowed()
            raise
        # Sessions are checked whether or not engines fail, and again afterwards for those that
        # opened meanwhile.
        results = await asyncio.gather(
            self._end_disallowed(),
            *(self._stop_engine(name) for name in list(self._engines) if name not in parts),
            return_exceptions=True,
        )
        # Only after engines have stopped, because SSTP and OpenVPN use the same port.
        results += await asyncio.gather(
            self._run_eapd(roots, wanted=bool(parts) and not self._radius.enabled),
            *(self._run_engine(name, roots, part) for name, part in parts.items()),
            self._reconcile_sites(),
            return_exceptions=True,
        )
        await self._end_disallowed()
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise _together(failures)

    async def _reconcile_sites(self) -> None:
        if self._resource is None:  # local network gateways may be PUT before the gateway
            return
        self._enclose()
        await self.site_to_site.reconcile(self.resource)
        await self._radius.fence()

    async def _learnt(self) -> None:
        """BGP has changed the prefixes of sites."""
        async with self._changing:
            await self._reconcile_sites()

    def _enclose(self) -> None:
        """Update the fence; called before any engine is configured."""
        pool = self.configuration.vpnClientAddressPool.addressPrefixes
        network = self.placement.virtualNetwork.addressPrefixes
        self.site_to_site.guard(_networks(pool))
        sites = _networks(self.site_to_site.prefixes)
        reach = Reach(_networks(pool), self.routes, network, sites)
        self._fence.enclose(reach)
        if self._aggregate:
            benchmark = SKUS[self.resource.properties.sku.name].aggregate_mbps
            self._aggregate.limit(benchmark * self.placement.benchmarkScale, reach)

    async def _run_engine(
        self, protocol: VpnProtocol, roots: tuple[Certificate, ...], part: tuple[IPv4Network, ...]
    ) -> None:
        engine = self._engines.get(protocol)
        if engine is None:
            engine = self._engines[protocol] = _make(protocol, self._context(protocol))
        dns = self.placement.virtualNetwork.dnsServers
        radius = self._radius.enabled
        await engine.configure(Settings(roots, part, self.routes, dns, radius, self.ipsec))

    async def _run_eapd(self, roots: tuple[Certificate, ...], *, wanted: bool) -> None:
        """Run eapd if users authenticate by certificates."""
        if wanted:
            await self._eap_tls.configure(roots)
        else:
            await self._eap_tls.stop()

    def _log_eapd(self, message: str) -> None:
        """Log a message of eapd's, which serves every protocol, for each of them."""
        for protocol in self._engines:
            self.log.add("engine", protocol, message)

    async def _stop_engine(self, protocol: VpnProtocol) -> None:
        await self._engines.pop(protocol).stop()

    def _context(self, protocol: VpnProtocol) -> EngineContext:
        state = self._state / protocol.lower()
        make_private_directory(state)
        return EngineContext(
            self.placement,
            state,
            self._admission,
            self.sessions,
            self.log,
            self._eap_tls,
            self._radius,
            self._charon,
            self._holds[protocol],
        )

    # ------------------------------------------------------------------------------ on purpose

    async def hold(self, protocol: str) -> None:
        """Stop the daemon of a protocol, which is not started again until `release`; answers when
        it has ended. NotFoundError: there is no such daemon."""
        known = self._daemon_of(protocol)
        self._holds[known].hold()
        await self._until(known, "failed")

    async def release(self, protocol: str) -> None:
        """Start the daemon again; answers when it is ready."""
        known = self._daemon_of(protocol)
        self._holds[known].release()
        await self._until(known, "running")

    def _daemon_of(self, protocol: str) -> VpnProtocol:
        found = next((one for one in PROTOCOLS if one.casefold() == protocol.casefold()), None)
        if found is None or self._state_of(found) == "stopped":
            raise NotFoundError(f"{self.placement.name} runs no daemon for {protocol}")
        return found

    def _state_of(self, protocol: VpnProtocol) -> str:
        """charon may run for sites alone."""
        if protocol == "IkeV2":
            return self._charon.state
        engine = self._engines.get(protocol)
        return engine.report().state if engine else "stopped"

    async def _until(self, protocol: VpnProtocol, state: str) -> None:
        what = f"the daemon of {protocol} to be {state}"
        try:
            await wait_until(what, START_LIMIT, lambda: self._state_of(protocol) == state)
        except TimeoutError as error:
            raise EngineError(str(error)) from error

    async def _end_disallowed(self) -> None:
        """End sessions that the policy does not allow: first close the fence, then disconnect."""
        ending = []
        for session in self.sessions:
            objection = self._admission.objection_to_session(session)
            engine = self._engines.get(session.peer.protocol)
            wanted = session.peer.protocol in self._admission.policy.parts
            if objection:
                self.sessions.bar(session)
            if objection and engine and wanted:  # an engine to be stopped ends its own sessions
                ending.append(engine.disconnect(session, objection.message))
        await asyncio.gather(*ending)

    # ---------------------------------------------------------------------------------- sessions

    async def health(self) -> list[dict[str, Any]]:
        """Azure's getVpnClientConnectionHealth."""
        # counters of an engine that cannot answer now stay as they are
        refreshes = (engine.refresh() for engine in self._engines.values())
        results = await asyncio.gather(*refreshes, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, GatewayError):
                raise result
        now = datetime.now(UTC)
        return [session.health(now) for session in self.sessions]

    async def disconnect(self, identifiers: Iterable[str]) -> None:
        """Azure's disconnectVirtualNetworkGatewayVpnConnections. NotFoundError: one is unknown, and
        none is disconnected."""
        found: list[Session] = []
        unknown = []
        for identifier in identifiers:
            session = self.sessions.get(identifier)
            found.append(session) if session else unknown.append(identifier)
        if unknown:
            raise NotFoundError(f"no such connection: {', '.join(unknown)}")
        for session in found:
            self.sessions.bar(session)
        await asyncio.gather(
            *(
                self._engines[s.peer.protocol].disconnect(s, "disconnected by the operator")
                for s in found
            )
        )

    # ----------------------------------------------------------------------------------- reports

    def engines(self) -> list[dict[str, Any]]:
        """Each engine's report."""
        return [engine.report().document() for engine in self._engines.values()]

    def aggregate(self) -> dict[str, Any]:
        """The limit of throughput; empty without one."""
        return self._aggregate.report().document() if self._aggregate else {}

    def certificates(self) -> dict[str, Any]:
        """The report on eapd (gateway.eap_tls.worker), which verifies certificates."""
        return self._eap_tls.report()

    def tls_auth_key(self) -> str:
        """OpenVPN's static key; empty without OpenVPN."""
        from gateway.openvpn.engine import OpenVpnEngine  # noqa: PLC0415

        engine = self._engines.get("OpenVPN")
        return engine.tls_auth_key() if isinstance(engine, OpenVpnEngine) else ""


def _make(protocol: VpnProtocol, context: EngineContext) -> Engine:
    """Make an engine; its module is imported only now."""
    module, _, name = PROTOCOLS[protocol].engine.partition(":")
    make: Callable[[EngineContext], Engine] = getattr(import_module(module), name)
    return make(context)


def _networks(texts: Iterable[str]) -> tuple[IPv4Network, ...]:
    """Parse prefixes; the rulebook has ensured that they are IPv4."""
    from ipaddress import IPv4Network  # noqa: PLC0415

    return tuple(n for n in map(ip_network, texts) if isinstance(n, IPv4Network))


def _together(failures: list[BaseException]) -> BaseException:
    """One error for several; an unexpected exception takes precedence, unchanged."""
    for failure in failures:
        if not isinstance(failure, GatewayError):
            return failure
    first = failures[0]
    if len(failures) == 1:
        return first
    return EngineError("; ".join(str(failure) for failure in failures))
