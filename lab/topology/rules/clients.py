"""Client computers: options and passwords need a client whose protocols support them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model.steps import Connects, Refused, verb_of
from lab.topology.model.tls import OPENSSL_NAMES
from lab.topology.model.topology import Client, Topology
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.radius_servers import password_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_OPTIONS: dict[str, VpnProtocol] = {"ike": "IkeV2", "sstpClient": "SSTP"}


def gateway_of(topology: Topology, client: Client | None) -> str | None:
    """The name of the client's gateway; None if there is no such gateway."""
    only = next(iter(topology.gateways)) if len(topology.gateways) == 1 else ""
    name = client and (client.gateway or only)
    return name if name in topology.gateways else None


def gateway_dialled(topology: Topology, name: str, before: int) -> str | None:
    """The gateway that a client has dialled last before a step of `expect`, or else its own; None
    if there is no such gateway."""
    found = gateway_of(topology, topology.clients.get(name))
    for step in topology.expect[:before]:
        if isinstance(step, Connects | Refused) and getattr(step, verb_of(step) or "") == name:
            found = gateway_named(topology, step)
    return found


def gateway_named(topology: Topology, step: Connects | Refused) -> str | None:
    """The gateway that the step dials; None if there is no such gateway."""
    name = step.connects if isinstance(step, Connects) else step.refused
    known = gateway_of(topology, topology.clients.get(name))
    named = step.to if step.to in topology.gateways else None
    return named if step.to else known


def options_need_their_protocol(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`ike` and `sstpClient` are options of one protocol each."""
    for name, client in topology.clients.items():
        for key, protocol in _OPTIONS.items():
            if key in client.model_fields_set and protocol not in client.dials:
                path: Path = ("clients", name, key)
                message = f"{name!r} does not dial {protocol}, so {key} has no effect"
                yield Problem(path, message, f"it dials {listing(client.dials)}; leave {key} out")


def tls_is_spoken(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`tls` limits SSTP, OpenVPN, and the EAP-TLS of IkeV2, which a password does without."""
    for name, client in topology.clients.items():
        if client.tls and client.user and set(client.dials) == {"IkeV2"}:
            yield Problem(
                ("clients", name, "tls"),
                f"{name!r} dials IkeV2 with a password, which needs no TLS, so tls has no effect",
                "leave tls out",
            )


def cipher_suites_can_be_offered(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """sstpc sets its own list and ignores OpenSSL's configuration (measured, 1.0.18); openvpn and
    charon offer only what their libraries have."""
    for name, client in topology.clients.items():
        path: Path = ("clients", name, "tls", "ciphers")
        suites = client.tls.ciphers if client.tls else ()
        dialled = _dialled(topology, client)
        if suites and client.sstpClient == "sstpc" and "SSTP" in dialled:
            message = "sstpc chooses its cipher suites itself"
            yield Problem(path, message, "add `sstpClient: python` to this client")
        lacking = [suite for suite in suites if suite not in OPENSSL_NAMES]
        over = [protocol for protocol in ("IkeV2", "OpenVPN") if protocol in dialled]
        if lacking and over:
            yield Problem(
                path,
                f"{name!r} cannot offer {listing(lacking)} over {listing(over)}: current libraries "
                "have no such cipher suite",
                "use AES, or `protocols: [SSTP]` and `sstpClient: python`",
            )


def _dialled(topology: Topology, client: Client) -> tuple[VpnProtocol, ...]:
    """What it dials of what its gateway offers, as far as that is known."""
    gateway = topology.gateways.get(topology.gateway_of(client)) if topology.gateways else None
    configuration = gateway.properties.vpnClientConfiguration if gateway else None
    offered = (configuration and configuration.vpnClientProtocols) or client.dials
    return tuple(p for p in client.dials if p in offered) or client.dials


def pppd_can_type_the_password(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """pppd makes UTF-16 of a password by widening its bytes, of which it keeps 255 (measured,
    2.4.9): it has no characters beyond Latin-1."""
    for name, client in topology.clients.items():
        password = password_of(topology, client)
        if not password or client.sstpClient != "sstpc":
            continue
        typed = password.get_secret_value().encode("latin-1", "replace")
        exact = typed.decode("latin-1") == password.get_secret_value()
        if "SSTP" in _dialled(topology, client) and not (exact and len(typed) <= _LONGEST_OF_PPPD):
            key = "password" if client.password else "user"
            yield Problem(
                ("clients", name, key),
                "sstpc's pppd knows no such password: it takes at most "
                f"{_LONGEST_OF_PPPD} characters, all of Latin-1",
                "add `sstpClient: python` to this client",
            )


_LONGEST_OF_PPPD = 255


def clocks_differ(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A clock that is right is no clock of its own."""
    for name, client in topology.clients.items():
        if "clock" in client.model_fields_set and client.clock == 0:
            message = f"the clock of {name!r} is right"
            yield Problem(("clients", name, "clock"), message, "leave clock out, or write +2d")


RULES = (
    options_need_their_protocol,
    tls_is_spoken,
    cipher_suites_can_be_offered,
    pppd_can_type_the_password,
    clocks_differ,
)
