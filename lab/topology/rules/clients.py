"""Client computers: options and passwords need a client whose protocols support them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model.topology import Client, Topology
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.radius_servers import password_of
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_OPTIONS: dict[str, VpnProtocol] = {"ike": "IkeV2", "sstpClient": "SSTP", "tls": "SSTP"}


def gateway_of(topology: Topology, client: Client | None) -> str | None:
    """The name of the client's gateway; None if there is no such gateway."""
    only = next(iter(topology.gateways)) if len(topology.gateways) == 1 else ""
    name = client and (client.gateway or only)
    return name if name in topology.gateways else None


def options_need_their_protocol(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`ike`, `tls` and `sstpClient` are options of one protocol each."""
    for name, client in topology.clients.items():
        for key, protocol in _OPTIONS.items():
            if key in client.model_fields_set and protocol not in client.dials:
                path: Path = ("clients", name, key)
                message = f"{name!r} does not dial {protocol}, so {key} has no effect"
                yield Problem(path, message, f"it dials {listing(client.dials)}; leave {key} out")


def cipher_suites_need_the_python_client(
    topology: Topology, _declared: Declared
) -> Iterator[Problem]:
    """sstpc sets its own list and ignores OpenSSL's configuration (measured, 1.0.18)."""
    for name, client in topology.clients.items():
        if client.tls and client.tls.ciphers and client.sstpClient == "sstpc":
            yield Problem(
                ("clients", name, "tls", "ciphers"),
                "sstpc chooses its cipher suites itself",
                "add `sstpClient: python` to this client",
            )


def pppd_can_type_the_password(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """pppd makes UTF-16 of a password by widening its bytes, of which it keeps 255 (measured,
    2.4.9): it has no characters beyond Latin-1."""
    for name, client in topology.clients.items():
        password = password_of(topology, client)
        if not password or client.sstpClient != "sstpc" or "SSTP" not in client.dials:
            continue
        typed = password.get_secret_value().encode("latin-1", "replace")
        exact = typed.decode("latin-1") == password.get_secret_value()
        if _offers_sstp(topology, client) and not (exact and len(typed) <= _LONGEST_OF_PPPD):
            key = "password" if client.password else "user"
            yield Problem(
                ("clients", name, key),
                "sstpc's pppd knows no such password: it takes at most "
                f"{_LONGEST_OF_PPPD} characters, all of Latin-1",
                "add `sstpClient: python` to this client",
            )


_LONGEST_OF_PPPD = 255


def _offers_sstp(topology: Topology, client: Client) -> bool:
    gateway = topology.gateways.get(topology.gateway_of(client)) if topology.gateways else None
    configuration = gateway.properties.vpnClientConfiguration if gateway else None
    return configuration is None or "SSTP" in (configuration.vpnClientProtocols or ("SSTP",))


RULES = (
    options_need_their_protocol,
    cipher_suites_need_the_python_client,
    pppd_can_type_the_password,
)
