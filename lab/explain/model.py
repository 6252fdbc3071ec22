"""An explanation as data: findings, one for each layer, in chains, one for each way tried. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lab.world import Deed

State = Literal["passed", "failed", "not reached"]
Layer = Literal[
    "client-policy",
    "profile-stale",
    "name",
    "underlay",
    "portal",
    "firewall",
    "proxy",
    "gateway-down",
    "tls",
    "ike-proposal",
    "s2s",
    "bgp",
    "certificate",
    "revocation",
    "radius-path",
    "radius-secret",
    "radius-verdict",
    "factor",
    "limit",
    "pool",
    "address",
    "dns-inside",
    "overlap",
    "route",
    "nat",
    "mtu",
    "service",
    "way-back",
    "line",
]
DIAL: tuple[Layer, ...] = (
    "client-policy", "profile-stale", "name", "underlay", "portal", "firewall", "nat", "proxy",
    "gateway-down", "mtu", "tls", "ike-proposal", "certificate", "revocation", "radius-path",
    "radius-secret", "radius-verdict", "factor", "limit", "pool", "address",
)  # fmt: skip
"""The layers of a dial, from top to bottom."""
INSIDE: tuple[Layer, ...] = (
    "gateway-down", "client-policy", "dns-inside", "overlap", "route", "s2s", "firewall", "mtu",
    "service", "way-back",
)  # fmt: skip
"""Those of a probe through a tunnel."""
SITE: tuple[Layer, ...] = ("gateway-down", "underlay", "firewall", "ike-proposal", "s2s", "bgp")
"""Those of a tunnel between gateways, or to a site."""


_LONG = re.compile(r'"([A-Za-z0-9+/=]{16})[A-Za-z0-9+/=]{100,}"')
"""A certificate in a gateway's document."""


@dataclass(frozen=True)
class Finding:
    """What is known of a layer."""

    layer: Layer
    state: State
    seen: str = ""
    """What was looked at, and what it said."""
    cause: str = ""
    """Of a failed layer: a sentence."""
    proof: tuple[str, ...] = ()
    """A rule, a packet, a log line, or two values that differ."""
    remedy: str = ""
    at: str = ""
    """When it was looked at, or happened: UTC, ISO 8601."""


@dataclass(frozen=True)
class Chain:
    """The layers of one way: a protocol's dial, a probe, a tunnel."""

    way: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> Finding | None:
        """The first broken layer."""
        return next((one for one in self.findings if one.state == "failed"), None)


@dataclass(frozen=True)
class Explanation:
    """Whom it is about, the sentence on top, and the chains."""

    subject: str
    sentence: str
    chains: tuple[Chain, ...] = ()
    at: str = ""
    """When; now, if that is not said."""

    def as_data(self) -> dict[str, Any]:
        """JSON; `layer`: the one that matters, if any failed."""
        broken = self.broken
        head = {"layer": broken.layer} if broken else {}
        chains = [
            {
                "way": chain.way,
                "layers": [_without_empty(asdict(one)) for one in chain.findings],
            }
            for chain in self.chains
        ]
        return {
            "subject": self.subject,
            **head,
            "sentence": self.sentence,
            "chains": chains,
            "at": self.at or stamp(),
        }

    @property
    def broken(self) -> Finding | None:
        """The failed layer that matters: that of the chain that came furthest."""
        broken = [(depth(c.failed), c.failed) for c in self.chains if c.failed]
        return max(broken, key=lambda pair: pair[0])[1] if broken else None


def failure(layer: Layer, cause: str, *proof: str, remedy: str, at: str = "") -> Finding:
    """A broken layer; `at`: when it was looked at, now if that is not known."""
    seen = tuple(dict.fromkeys(filter(None, proof)))
    return Finding(layer, "failed", "", cause, seen, remedy, at or stamp())


def depth(finding: Finding, layers: Sequence[Layer] = DIAL) -> int:
    """How far it is down these layers: the greater the further."""
    return layers.index(finding.layer) if finding.layer in layers else len(layers)


def besides(failed: Finding, further: Iterable[Finding], layers: Sequence[Layer] = DIAL) -> Finding:
    """With the causes in layers further down that are seen already, for who mends the first meets
    them."""
    more = [one for one in further if depth(one, layers) > depth(failed, layers)]
    if not more:
        return failed
    causes = dict.fromkeys(one.cause for one in more)
    proof = (*failed.proof, *(line for one in more for line in one.proof))
    return replace(failed, cause="; and besides, ".join([failed.cause, *causes]), proof=proof)


def chain_of(
    way: str,
    layers: Sequence[Layer],
    passed: dict[Layer, str],
    failed: Finding | None = None,
    *,
    beyond: bool = False,
) -> Chain:
    """The layers down to the failed one with what was looked at, then those not reached. A layer
    of which nothing was seen is left out: nothing is said of it. `beyond`: layers after the failed
    one have passed, too, for it failed elsewhere, such as between a gateway and its servers."""
    found: list[Finding] = []
    at, over = stamp(), False
    order = [*layers]
    if failed and failed.layer not in order:
        order.append(failed.layer)
    for layer in order:
        if failed and layer == failed.layer:
            found.append(failed)
            over = True
        elif over and not (beyond and passed.get(layer)):
            found.append(Finding(layer, "not reached"))
        elif passed.get(layer):
            found.append(Finding(layer, "passed", passed[layer], at=at))
    return Chain(way, tuple(found))


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """An explanation (as data) for people, a line each."""
    yield data["sentence"]
    for chain in data["chains"]:
        yield f"{chain['way']}:"
        for row in chain["layers"]:
            if row["state"] == "not reached":
                continue
            clock = f"{row['at'][11:19]} " if row.get("at") else ""
            words = row.get("cause") or row.get("seen", "")
            yield f"  {clock}{row['state']:<7} {row['layer']}{f': {words}' if words else ''}"
            for proof in row.get("proof", ()):
                yield f"    proof: {proof}"
            if row.get("remedy"):
                yield f"    change: {row['remedy']}"
        rest = [row["layer"] for row in chain["layers"] if row["state"] == "not reached"]
        if rest:
            yield f"  not reached: {', '.join(rest)}"


def stamp(seconds: float | None = None) -> str:
    """A time (of the epoch; None: now) as the gateway's log writes it: UTC, milliseconds."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds")


def told(deed: Deed) -> str:
    """What was done in the lab, in a line."""
    return f"at {stamp(deed.at)}: {brief(deed.text)}: {deed.effect}"


def brief(text: str) -> str:
    """A step's text without the length of certificates in it."""
    return _LONG.sub(r'"\1..."', text)


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value not in ("", (), [])}
