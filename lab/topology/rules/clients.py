"""Client computers: SSTP options need a client that dials SSTP and supports them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model.topology import Client, Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def gateway_of(topology: Topology, client: Client | None) -> str | None:
    """The name of the client's gateway; None if there is no such gateway."""
    only = next(iter(topology.gateways)) if len(topology.gateways) == 1 else ""
    name = client and (client.gateway or only)
    return name if name in topology.gateways else None


def sstp_options_need_sstp(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """`tls` and `sstpClient` are options of SSTP only."""
    for name, client in topology.clients.items():
        for key in sorted({"tls", "sstpClient"} & client.model_fields_set):
            if "SSTP" not in client.dials:
                path: Path = ("clients", name, key)
                message = f"{name!r} does not dial SSTP, so {key} has no effect"
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


RULES = (sstp_options_need_sstp, cipher_suites_need_the_python_client)
