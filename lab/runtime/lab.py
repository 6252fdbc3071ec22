"""Builds a lab from its plan: nodes, certificates, services, gateways and client computers."""

from __future__ import annotations

import asyncio
import base64
import math
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gateway.arm.secrets import secrets_in, with_secrets
from lab.boot.enter import outside
from lab.choices import counted, did_you_mean, spelling
from lab.errors import LabError, UsageError
from lab.faults.active import Faults
from lab.merge import merge
from lab.nodes.base import Node
from lab.roles import RoleContext, proxy, start_role
from lab.runtime.journal import Journal, Reader
from lab.runtime.kernels import boot, build_nodes, lacking, refuse_without_shapers
from lab.runtime.protocol import Emit, Stage, StepResult
from lab.topology.model.steps import (
    ACTIONS,
    Create,
    EndFault,
    Fault,
    Step,
    Update,
    text_of,
    verb_of,
)
from lab.topology.planning.addressing import proxy_name
from lab.topology.planning.neighbours import crowded
from lab.topology.planning.pki import PUBLIC_ROOT, server_name
from lab.topology.planning.plan import GatewayPlan, NodePlan, Plan
from lab.topology.planning.specs import (
    BgpSpec,
    DirectorySpec,
    ProxySpec,
    RadiusSpec,
    ServiceSpec,
    VpnDeviceSpec,
)
from lab.topology.planning.spelling import NODES, respelled_step
from lab.world import (
    Changed,
    ClientComputer,
    Daemon,
    Deed,
    GatewayHandle,
    Outcome,
    RadiusServer,
    VpnDevice,
)

if TYPE_CHECKING:
    from gateway.common.rotation import Place
    from lab.explain.explainer import Explainer
    from lab.pki.authority import Credential
    from lab.roles.gateway import UnixGateway
    from lab.topology.load import TopologyFile

_PLACEHOLDER = re.compile(r"\$\{([^}]+)\.(publicCertData|thumbprint)\}")


def fill_in(document: Any, credentials: Mapping[str, Credential]) -> Any:
    """Replace `${NAME.publicCertData}` and `${NAME.thumbprint}` by the plan's certificates."""
    if isinstance(document, dict):
        return {key: fill_in(value, credentials) for key, value in document.items()}
    if isinstance(document, list):
        return [fill_in(value, credentials) for value in document]
    if isinstance(document, str):
        return _PLACEHOLDER.sub(lambda found: _certificate_text(found, credentials), document)
    return document


def _certificate_text(found: re.Match[str], credentials: Mapping[str, Credential]) -> str:
    credential = credentials[found[1]]
    return {
        "publicCertData": credential.public_cert_data,
        "thumbprint": credential.thumbprint,
    }[found[2]]


class Lab:
    """A World (lab.world) built from a plan."""

    def __init__(self, plan: Plan, log_directory: Path, file: TopologyFile | None = None) -> None:
        self.plan = plan
        self._file = file
        self._journal = Journal(log_directory)
        self.nodes: dict[str, Node] = {}
        self.clients: dict[str, ClientComputer] = {}
        self.gateways: dict[str, UnixGateway] = {}
        self.devices: dict[str, VpnDevice] = {}
        self.speakers: dict[str, Daemon] = {}
        self.radius: dict[str, RadiusServer] = {}
        self.directories: dict[str, Daemon] = {}
        self.past: list[Deed] = []
        self.faults = Faults(self)
        self._explainer: Explainer | None = None
        self.addresses = plan.addresses
        self._logs = log_directory
        self._credentials: dict[str, Credential] = {}
        self._lacking: Mapping[str, str] = {}
        """Nodes that need features the machine's kernel lacks, and a text about those."""

    async def build(self, emit: Emit) -> None:
        """Build network and certificates concurrently, then all services, then the clients."""
        self._journal.open()
        asyncio.get_running_loop().add_reader(self._journal, self._journal.collect)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._world(emit))
            group.create_task(self._certificates(emit))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._boot(emit))
            group.create_task(self._roles(emit))
            for gateway in self.plan.gateways:
                group.create_task(self._gateway(gateway, emit))
        self._create_clients()
        await self.faults.begin_all(self.plan.faults)

    def checked(self, documents: Sequence[Any]) -> list[Step]:
        """Steps from data; StepsError with all problems."""
        from lab.topology.load import checked_steps  # noqa: PLC0415 (not before the world is built)

        assert self._file
        return checked_steps(self._file.topology, documents)

    def expected(self) -> dict[str, Any]:
        """The topology's own `expect:` with its file and lines."""
        assert self._file
        steps = self._file.topology.expect
        return {
            "file": outside(self._file.path),
            "steps": [
                {
                    "line": line,
                    "text": text_of(step),
                    "step": step.model_dump(mode="json", by_alias=True, exclude_unset=True),
                }
                for line, step in zip(self._file.lines, steps, strict=True)
            ],
        }

    def names(self) -> dict[str, list[str]]:
        """The names of clients and gateways."""
        return {"clients": sorted(self.clients), "gateways": sorted(self.gateways)}

    def settle(self) -> None:
        """Write what the programs have logged so far into the journal."""
        self._journal.collect()

    def own_logs(self) -> Iterator[Path]:
        """As in Body."""
        for server in self.radius.values():
            yield from server.own_logs()
        for node in self.plan.nodes:
            if node.name in self.nodes and any(isinstance(s, ProxySpec) for s in node.services):
                yield from proxy.own_logs(self.nodes[node.name])

    async def package(self, name: str) -> bytes:
        """The VPN client package of a gateway, or for a client."""
        if name in self.clients:
            return await self.clients[name].profile()
        if name in self.gateways:
            return await self.gateways[name].profile()
        known = [*self.gateways, *self.clients]
        raise UsageError(f"there is no gateway or client {name!r}", did_you_mean(name, known))

    async def run(self, steps: Sequence[Step], emit: Emit) -> bool:
        """Execute checks and actions; whether all held."""
        from lab.checks.run import Took, run_steps  # noqa: PLC0415 (not before the world is built)

        def step_done(index: int, step: Step, outcome: Outcome, took: Took) -> None:
            if (
                isinstance(step, ACTIONS)
                and not isinstance(step, Fault | EndFault)
                and outcome.held
                and not outcome.idle
            ):
                verb = verb_of(step) or ""
                subject, words = getattr(step, verb), (text_of(step), outcome.detail)
                deed = Deed(time.time(), verb, subject, *words, changed=outcome.changed)
                self.past.append(deed)  # faults remember themselves, for some end by the clock
            emit(
                StepResult(
                    index=index,
                    verb=verb_of(step) or "",
                    text=text_of(step),
                    held=outcome.held,
                    detail=outcome.detail,
                    seconds=took.seconds,
                    began=took.began,
                    evidence=outcome.evidence,
                    explanation=outcome.explanation,
                )
            )

        filled = [self._filled(step) for step in steps]
        return await run_steps(filled, self, step_done, self._explain_step)

    async def _explain_step(self, step: Step) -> dict[str, Any]:
        return await self.explainer.of_step(step)

    async def explain(self, subject: str, to: str, size: int) -> dict[str, Any]:
        """Why a client, a host or a site is not connected (lab.explain)."""
        known = {*self.nodes, *self.clients, *self.plan.connections}
        name = spelling(known).get(subject.casefold())
        if name is None:
            remedy = did_you_mean(subject, frozenset(known))
            raise UsageError(f"there is no client, host, site or connection {subject!r}", remedy)
        return await self.explainer.of_subject(name, to, size)

    @property
    def explainer(self) -> Explainer:
        """Made when it is needed: a run in which all holds does without."""
        if self._explainer is None:
            from lab.explain.explainer import Explainer  # noqa: PLC0415 (as above)
            from lab.explain.scene import Scene  # noqa: PLC0415 (as above)

            self._explainer = Explainer(Scene(self, self._said))
        return self._explainer

    def _said(self, node: str, program: str, since: float, until: float = math.inf) -> list[str]:
        """What a node's program has logged since then, and before `until`."""
        self.settle()
        reader = Reader(self._logs)
        try:
            lines = reader.new(since=since, node=node, program=program)
            return [line.text for line in lines if line.time < until]
        finally:
            reader.close()

    def _filled(self, step: Step) -> Step:
        """The step with its nodes as they are spelled, and the placeholders of its `properties`
        replaced."""
        named = step.model_dump(include=NODES)
        changes = respelled_step(named, spelling([*self.nodes, *self.plan.connections]))
        if isinstance(step, Update | Create):
            changes["properties"] = fill_in(step.properties, self._credentials)
        return step.model_copy(update=changes)

    async def status(self) -> dict[str, Any]:
        """Nodes, clients with their tunnels, gateways with their sessions."""
        return {
            "name": self.plan.name,
            "story": self.plan.story,
            "nodes": [self._node_row(node) for node in self.plan.nodes],
            "clients": [await self._client_row(name) for name in self.clients],
            "gateways": [
                {"name": name, "sessions": await gateway.sessions()}
                for name, gateway in self.gateways.items()
            ],
            "tunnels": await self._tunnels(),
            "faults": self.faults.document(),
            "failedFaults": self.faults.failures,
            "waiting": await self._waiting(),
            **await self._runtime(),
        }

    async def _tunnels(self) -> list[dict[str, Any]]:
        """The status of each tunnel at both ends; a deleted gateway has none."""
        keys = ("connectionStatus", "ingressBytesTransferred", "egressBytesTransferred")
        rows = []
        for gateway, handle in self.gateways.items():
            for site, connection in (await handle.connections()).items():
                properties = connection["properties"]
                device = await self.devices[site].state() if site in self.devices else {}
                row = {"site": site, "gateway": gateway} | {key: properties[key] for key in keys}
                rows.append(row | {"device": device.get("state")})
        return rows

    async def operate(self, gateway: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """An operator's request to a gateway: get, put, delete, sessions, log, disconnect,
        profile."""
        handle = self.gateways.get(spelling(self.gateways).get(gateway.casefold(), gateway))
        actions = _operations(handle, body) if handle else {}
        if handle is None or action not in actions:
            wrong = action if handle else gateway
            raise UsageError(f"there is no {'action' if handle else 'gateway'} {wrong!r}",
                             did_you_mean(wrong, list(actions or self.gateways)))  # fmt: skip
        before = await handle.get() if action == "put" and await handle.exists() else None
        value = await actions[action]()
        if action in ("put", "disconnect", "delete"):
            verb = "update" if action == "put" else action
            text, effect = f"{verb} {handle.name} by its API", "the gateway accepted it"
            changed = Changed.between(before, value) if before else None
            self.past.append(Deed(time.time(), verb, handle.name, text, effect, changed=changed))
        return {"value": value}

    async def decide(self, user: str, *, approve: bool) -> list[str]:
        """Answer a user's second factor; the RADIUS servers that asked."""
        from lab.checks import second_factor  # noqa: PLC0415 (few labs have a second factor)

        return await second_factor.decide(self.radius, user, approve=approve)

    async def _waiting(self) -> list[str]:
        """The users with a pending prompt."""
        if not any(server.asks for server in self.radius.values()):
            return []
        from lab.checks import second_factor  # noqa: PLC0415 (as above)

        return await second_factor.waiting(self.radius)

    @property
    def _scales(self) -> dict[str, float]:
        """By gateway, what part of its SKU's throughput it lets pass, where that is not all."""
        scales = {one.name: one.placement.benchmarkScale for one in self.plan.gateways}
        return {name: scale for name, scale in scales.items() if scale < 1}

    async def _runtime(self) -> dict[str, Any]:
        """The gateways' engines and scales, and the memory (RSS, bytes) of supervisor and
        gateways."""
        states = {name: await gateway.runtime() for name, gateway in self.gateways.items()}
        return {
            "engines": [
                {"gateway": name, **engine}
                for name, state in states.items()
                for engine in state["engines"]
            ],
            "benchmarks": [
                {"gateway": name, "scale": scale, "mbps": states[name]["aggregate"]["mbps"]}
                for name, scale in self._scales.items()
            ],
            "processor": {name: state["processor"] for name, state in states.items()},
            "memory": {
                "supervisor": _resident_bytes(),
                **{name: state["memory"] for name, state in states.items()},
            },
        }

    def _node_row(self, node: NodePlan) -> dict[str, Any]:
        address = self.addresses.get(node.name)
        kernel = self.nodes[node.name].kernel
        return {"name": node.name, "kind": node.kind, "address": address, "kernel": kernel}

    async def _client_row(self, name: str) -> dict[str, Any]:
        connection = await self.clients[name].connection()
        over = connection and {"over": connection.protocol, "address": connection.address}
        row = {"name": name, "connection": over, "kernel": self.nodes[name].kernel}
        return row | ({"why": self._lacking[name]} if name in self._lacking else {})

    async def _world(self, emit: Emit) -> None:
        async with _stage(emit, "build the world") as add_detail:
            refuse_without_shapers(self.plan)
            self._lacking = lacking(self.plan)
            self.nodes = await build_nodes(self.plan, self._lacking, self._logs)
            add_detail(
                ", ".join([counted(len(self.nodes), "node"), counted(len(self.plan.links), "link")])
            )
            if wires := crowded(self.plan):
                add_detail(f"(too many nodes for static neighbours: {', '.join(wires)})")

    async def _boot(self, emit: Emit) -> None:
        """Boot the nodes with their own kernel; no other node waits for them."""
        if not self._lacking:
            return
        async with _stage(emit, "boot user-mode Linux") as add_detail:
            await boot(self.nodes[name] for name in self._lacking)
            add_detail(f"for {', '.join(self._lacking)}: {next(iter(self._lacking.values()))}")

    async def _certificates(self, emit: Emit) -> None:
        if not self.plan.certificates:
            return
        async with _stage(emit, "issue certificates") as add_detail:
            from lab.pki.authority import issue  # noqa: PLC0415 (while the world is built)

            self._credentials = await asyncio.to_thread(issue, self.plan.certificates)
            add_detail(counted(len(self._credentials), "certificate"))

    async def _roles(self, emit: Emit) -> None:
        async with _stage(emit, "start services") as add_detail:
            services = [
                (node.name, service) for node in self.plan.nodes for service in node.services
            ]
            async with asyncio.TaskGroup() as group:
                for name, service in services:
                    group.create_task(self._role(name, service))
            add_detail(counted(len(services), "service"))

    async def _role(self, node: str, spec: ServiceSpec) -> None:
        context = RoleContext(self.nodes, self._credentials)
        process: Any = await start_role(self.nodes[node], spec, context)
        self._follow(node)
        kept: dict[type[ServiceSpec], dict[str, Any]] = {
            VpnDeviceSpec: self.devices,
            BgpSpec: self.speakers,
            RadiusSpec: self.radius,
            DirectorySpec: self.directories,
        }
        if type(spec) in kept:
            kept[type(spec)][node] = process

    async def _gateway(self, plan: GatewayPlan, emit: Emit) -> None:
        from lab.roles.gateway import start_gateway  # noqa: PLC0415 (as above)

        async with _stage(emit, f"start {plan.name}"):
            server = self._credentials[server_name(plan.name)]
            root = self._credentials[PUBLIC_ROOT].certificate_pem
            handle = await start_gateway(self.nodes[plan.node], plan.placement, server, root)
            self._follow(plan.node)
            self.gateways[plan.name] = handle
            await self.create_gateway(plan.name, {})

    async def create_gateway(self, name: str, properties: dict[str, Any]) -> None:
        """As in World."""
        from lab.roles.gateway import put_connections  # noqa: PLC0415 (as above)

        plan = next(plan for plan in self.plan.gateways if plan.name == name)
        document = with_secrets(plan.resource.document(), secrets_in(plan.resource))
        document["properties"] = merge(document["properties"], properties)
        handle = self.gateways[name]
        await handle.put(fill_in(document, self._credentials))
        await put_connections(handle, plan)

    def _follow(self, name: str) -> None:
        """Collect what programs in the node write into log files of its own."""
        with suppress(LabError):  # a user-mode Linux node: its files are not visible outside
            self._journal.follow(name, self.nodes[name].run_directory)

    def _create_clients(self) -> None:
        if not self.plan.clients:
            return
        from lab.clients.computer import Computer  # noqa: PLC0415 (as above)

        for client in self.plan.clients:
            self.clients[client.name] = Computer(
                client,
                node=self.nodes[client.node],
                access=self.nodes[client.access],
                proxy=self.nodes.get(proxy_name(client.access)),
                address=self.addresses[client.node],
                gateway=self.gateways[client.gateway],
                gateway_addresses={name: self.addresses[name] for name in self.gateways},
                credential=self._credentials.get(client.certificate or ""),
                others=[self._credentials[name] for name in client.others],
                radius_root=self._credentials.get(client.radius_root or ""),
                written=self._written,
            )

    def _written(self) -> dict[str, dict[Path, Place]]:
        return {name: server.written() for name, server in self.radius.items()}


def _operations(
    gateway: GatewayHandle, body: dict[str, Any]
) -> dict[str, Callable[[], Awaitable[Any]]]:
    async def profile() -> str:
        return base64.b64encode(await gateway.profile()).decode()

    return {
        "get": gateway.get,
        "delete": gateway.delete_gateway,
        "put": lambda: gateway.put(body),
        "sessions": gateway.sessions,
        "log": gateway.log,
        "disconnect": lambda: gateway.disconnect(body["vpnConnectionIds"]),
        "profile": profile,
    }


def _resident_bytes() -> int:
    """The resident memory of this process in bytes (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def _stage(emit: Emit, name: str) -> AsyncIterator[Callable[[str], None]]:
    """Emit a stage's start, and its end with its seconds; yields a function that adds details."""
    details: list[str] = []
    began, started = round(time.time(), 3), time.monotonic()
    emit(Stage(name=name, state="started", began=began))
    state: Literal["done", "failed"] = "failed"
    try:
        yield details.append
        state = "done"
    finally:
        seconds = round(time.monotonic() - started, 3)
        emit(Stage(name=name, state=state, began=began, seconds=seconds, detail=" ".join(details)))
