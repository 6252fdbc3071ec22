"""Client computers: options of a protocol need a client that dials it and supports them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model.topology import Topology
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_OPTIONS: dict[str, VpnProtocol] = {"ike": "IkeV2", "sstpClient": "SSTP", "tls": "SSTP"}


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


RULES = (options_need_their_protocol, cipher_suites_need_the_python_client)
