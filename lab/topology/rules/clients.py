"""Client computers: what is said of their SSTP goes with what they dial and with what."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import listing
from lab.topology.model.topology import Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared


def sstp_is_dialled_where_it_is_spoken_of(
    topology: Topology, _declared: Declared
) -> Iterator[Problem]:
    """`tls` and `sstpClient` concern SSTP alone."""
    for name, client in topology.clients.items():
        for key in sorted({"tls", "sstpClient"} & client.model_fields_set):
            if "SSTP" not in client.dials:
                path: Path = ("clients", name, key)
                said = f"{name!r} does not dial SSTP, which {key} is about"
                yield Problem(path, said, f"it dials {listing(client.dials)}; leave {key} out")


def only_pythons_cipher_suites_can_be_chosen(
    topology: Topology, _declared: Declared
) -> Iterator[Problem]:
    """sstpc sets its own list, whatever OpenSSL's configuration says (measured, 1.0.18)."""
    for name, client in topology.clients.items():
        if client.tls and client.tls.ciphers and client.sstpClient == "sstpc":
            yield Problem(
                ("clients", name, "tls", "ciphers"),
                "sstpc chooses its cipher suites itself",
                "add `sstpClient: python` to this client",
            )


RULES = (sstp_is_dialled_where_it_is_spoken_of, only_pythons_cipher_suites_can_be_chosen)
