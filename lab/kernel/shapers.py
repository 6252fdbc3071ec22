"""Whether the machine's kernel has what rates need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from gateway.common import calls
from gateway.common.nft import Nft, NftError
from gateway.common.traffic_control import Links
from lab.kernel import tc
from lab.kernel.netlink import Netlink
from lab.kernel.requests import LOOPBACK


def _tbf() -> None:
    Netlink().apply([tc.rate(LOOPBACK, 1.0)])


def _netem() -> None:
    Netlink().apply([tc.delay(LOOPBACK, 0.01)])


def _aggregate() -> None:
    links = Links()
    links.limit(links.add_ifb("trial"), 1.0)
    Nft().run(
        """table netdev trial {
  chain entering {
    type filter hook ingress devices = { "lo" } priority 0; policy accept;
    iifname "lo" fwd to "trial"
  }
}
"""
    )


TRIALS: Mapping[str, tuple[Callable[[], None], str]] = {
    "tbf": (_tbf, "the rate of an access network: sch_tbf"),
    "netem": (_netem, "the latency of an access network: sch_netem"),
    "aggregate": (
        _aggregate,
        "the throughput of a gateway: ifb, sch_tbf, nf_tables with netdev and nft_fwd_netdev",
    ),
}
"""A trial in a network namespace of its own, and what it is about: purpose and modules."""


def missing(wanted: Collection[str]) -> dict[str, str]:
    """Of these, what the kernel lacks: its purpose and modules, and the kernel's answer."""
    found = {}
    for name in sorted(wanted):
        trial, about = TRIALS[name]
        with ThreadPoolExecutor(1, thread_name_prefix="trial") as thread:
            try:
                thread.submit(_apart, trial).result()
            except (OSError, NftError) as error:
                found[name] = f"{about} ({error})"
    return found


def _apart(trial: Callable[[], None]) -> None:
    """The thread ends in a namespace that ends with it."""
    calls.unshare(calls.NEWNET)
    trial()
