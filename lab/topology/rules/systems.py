"""Client computers' operating systems: versions, updates and registry values that there are."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.arm.rules.case import AUTHENTICATION, PROTOCOLS
from lab.choices import did_you_mean, listing
from lab.topology.model import steps
from lab.topology.model.persona import (
    SYSTEMS,
    VALUES,
    ClientSystem,
    canonical_value,
    known_version,
    wrong_value,
)
from lab.topology.model.topology import Client, Topology
from lab.topology.planning.needs import has_clients, may_authenticate, may_offer
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.clients import gateway_named
from lab.topology.rules.declared import Declared

_OF_WINDOWS = ("architecture", "updates", "registry", "administrator")
_OF_A_SYSTEM = ("os", "version", "protocols", *_OF_WINDOWS)
_ALL_UPDATES = frozenset(
    update for rows in SYSTEMS.values() for row in rows.values() for update in row.updates
)


def systems_exist(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The version is one of the operating system's, and what it has installed is for it."""
    for name, client in topology.clients.items():
        path: Path = ("clients", name)
        unknown = list(_version(path, client))
        yield from unknown
        if not client.system.windows:
            yield from _of_windows_only(path, client)
        elif not unknown:
            yield from _architecture(path, client)
            yield from _updates(path, client)
            yield from _registry(path, client)


def _version(path: Path, client: Client) -> Iterator[Problem]:
    if client.version is None or known_version(client.os, client.version):
        return
    rows = [row for row in SYSTEMS[client.os] if row]
    message = f"{client.os} has no version {client.version!r}" if rows else (
        f"{client.os} has no versions here")  # fmt: skip
    yield Problem(
        (*path, "version"),
        message,
        did_you_mean(client.version, rows) if rows else "leave version out",
    )


def _of_windows_only(path: Path, client: Client) -> Iterator[Problem]:
    for key in _OF_WINDOWS:
        if key in client.model_fields_set:
            message = f"{client.os} is no Windows, so {key} has no effect"
            yield Problem((*path, key), message, f"leave {key} out")


def _architecture(path: Path, client: Client) -> Iterator[Problem]:
    system = client.system
    if system.architecture not in system.release.architectures:
        yield Problem(
            (*path, "architecture"),
            f"there is no {client.os} for {system.architecture}",
            f"there is {listing(system.release.architectures)}",
        )


def _updates(path: Path, client: Client) -> Iterator[Problem]:
    system = client.system
    own = system.release.updates
    for index, update in enumerate(client.updates or ()):
        if update in own:
            continue
        for_others = [
            f"{os} {version}".strip()
            for os, rows in SYSTEMS.items()
            for version, row in rows.items()
            if update in row.updates
        ]
        if for_others:
            message = f"{update} is for {listing(for_others)}, not for {system}"
            remedy = f"{system} takes {listing(own)}" if own else "leave it out"
        else:
            message = f"{update!r} is no update that this lab knows"
            remedy = did_you_mean(update, own or _ALL_UPDATES)
        yield Problem((*path, "updates", index), message, remedy)


def _registry(path: Path, client: Client) -> Iterator[Problem]:
    system = client.system
    own = system.release.values(system.architecture)
    seen: dict[str, str] = {}
    for key, number in (client.registry or {}).items():
        value = canonical_value(key)
        place: Path = (*path, "registry", key)
        if value in seen:
            yield Problem(place, f"{value} is set already", "set each value once", at_key=True)
        elif value not in VALUES:
            message = f"'{key}' is no registry value that this lab knows"
            yield Problem(place, message, _nearest(value, own), at_key=True)
        elif value not in own:
            message = f"{value} has no effect on {system}"
            yield Problem(place, message, "leave it out", at_key=True)
        elif wrong := wrong_value(value, number):
            yield Problem(place, f"{number:#x} cannot be its value", wrong)
        seen.setdefault(value, key)


def _nearest(value: str, own: tuple[str, ...]) -> str:
    """The value with the same last part, or else the nearest."""
    last = value.rpartition("\\")[2].casefold()
    same = [known for known in own if known.rpartition("\\")[2].casefold() == last]
    return f"did you mean '{same[0]}'?" if same else did_you_mean(value, own).replace("\\\\", "\\")


def protocols_are_the_systems(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`protocols` chooses among those that the operating system dials."""
    for name, client in topology.clients.items():
        for index, protocol in enumerate(client.protocols or ()):
            if protocol not in client.dials:
                why = client.system.prepared().why_not(protocol, radius=True)
                able = listing(client.system.release.dials)
                remedy = f"{client.system} dials {able}"
                yield Problem(("clients", name, "protocols", index), why, remedy)


def dialling_systems_are_ready(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """`connects` needs a computer that can dial as it is at that time."""
    wrong = {problem.path[1] for problem in systems_exist(topology, declared)}
    ready: set[str] = set()
    for index, step in enumerate(topology.expect):
        if isinstance(step, steps.InstallUpdates):
            ready.add(step.installUpdates)
        if not isinstance(step, steps.Connects) or step.connects in wrong:
            continue
        client = topology.clients.get(step.connects)
        gateway = gateway_named(topology, step)
        if client and gateway and _known(declared, step.connects, gateway):
            system = client.system.prepared() if step.connects in ready else client.system
            yield from _not_ready(("expect", index), topology, step, system)


def _known(declared: Declared, client: str, gateway: str) -> bool:
    offers = all(declared.knows(gateway, *part) for part in (PROTOCOLS, AUTHENTICATION))
    return offers and all(declared.whole("clients", client, key) for key in _OF_A_SYSTEM)


def _not_ready(
    path: Path, topology: Topology, step: steps.Connects, system: ClientSystem
) -> Iterator[Problem]:
    client = topology.clients[step.connects]
    gateway = step.to or topology.gateway_of(client)
    if system.windows and not system.administrator:
        message = f"the user of {step.connects!r} has no administrator rights"
        remedy = "leave `administrator: false` out, or expect {refused: ..., because: ...}"
        yield Problem((*path, "connects"), message, remedy)
        return
    radius = may_authenticate(topology, gateway, "Radius")
    if step.over and step.over in client.dials:
        why = system.why_not(step.over, radius=radius)
        install = ", or install its updates before" if system.missing() else ""
        if why:
            yield Problem(
                (*path, "over"), why, f"expect {{refused: ..., because: system}}{install}"
            )
    if step.over is None and has_clients(topology, gateway):
        able = [one for one in client.dials if not system.why_not(one, radius=radius)]
        if not any(may_offer(topology, gateway, one) for one in able):
            message = f"{step.connects!r} and {gateway!r} have no protocol in common"
            remedy = f"{system} dials {listing(able)}"
            yield Problem((*path, "connects"), message, remedy)


def updates_can_be_installed(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`installUpdates` needs a Windows that takes some, and its administrator."""
    for index, step in enumerate(topology.expect):
        if not isinstance(step, steps.InstallUpdates):
            continue
        client = topology.clients.get(step.installUpdates)
        if client is None:
            continue
        path: Path = ("expect", index, "installUpdates")
        system = client.system
        if not system.release.updates and not system.release.old_tls:
            yield Problem(path, f"there is nothing to install on {system}", "leave the step out")
        elif not system.administrator:
            message = f"the user of {step.installUpdates!r} has no administrator rights"
            yield Problem(path, message, "leave `administrator: false` out")


def refusals_of_systems(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`because: administrator` needs a Windows whose user has no such rights."""
    for index, step in enumerate(topology.expect):
        client = topology.clients.get(step.refused) if isinstance(step, steps.Refused) else None
        if not isinstance(step, steps.Refused) or client is None:
            continue
        if step.because == "administrator" and client.administrator:
            yield Problem(
                ("expect", index, "because"),
                f"the user of {step.refused!r} has administrator rights",
                "add `administrator: false` to this client",
            )


RUNNING = (updates_can_be_installed, refusals_of_systems)
RULES = (
    systems_exist,
    protocols_are_the_systems,
    dialling_systems_are_ready,
    *RUNNING,
)
