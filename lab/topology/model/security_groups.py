"""Network security groups: ARM's securityRules of a subnet."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from lab.topology.model.values import Name, parse_prefix

_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?")
_HIGHEST = 65535


def _ports(value: Any) -> str:
    """`*`, a port, or a range of ports: `80`, `8000-8100`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text == "*":
        return "*"
    match = _PORTS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a port range; write 80, 8000-8100 or '*'")
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if not first <= last <= _HIGHEST:
        raise ValueError(
            f"{value!r} is not a port range: from 0 to {_HIGHEST}, the lower one first"
        )
    return f"{first}-{last}" if first < last else str(first)


def _addresses(value: Any) -> str:
    if value in ("*", "VirtualNetwork", "Internet"):
        return str(value)
    try:
        return str(parse_prefix(value))
    except ValueError:
        raise ValueError(
            f"{value!r} is not an address prefix; write one like 10.1.0.0/16 or 10.1.1.4/32, or "
            "VirtualNetwork, Internet or '*'"
        ) from None


_PORT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]}
PortRange = Annotated[str, BeforeValidator(_ports), WithJsonSchema(_PORT_SCHEMA)]
AddressPrefix = Annotated[str, BeforeValidator(_addresses), WithJsonSchema({"type": "string"})]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SecurityRuleProperties(_Model):
    """What a rule matches, and what becomes of it."""

    priority: Annotated[int, Field(strict=True, ge=100, le=4096)]
    """The rule with the lowest number decides; each has its own in its direction."""
    direction: Literal["Inbound", "Outbound"]
    """Into the subnet's computers, or out of them."""
    access: Literal["Allow", "Deny"]
    """What becomes of new connections; packets of those that stand pass."""
    protocol: Literal["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"] = "*"
    """Of IP."""
    sourceAddressPrefix: AddressPrefix = "*"
    """A prefix, or VirtualNetwork, Internet or `*`."""
    sourcePortRange: PortRange = "*"
    """A port, a range such as 8000-8100, or `*`."""
    destinationAddressPrefix: AddressPrefix = "*"
    """As `sourceAddressPrefix`."""
    destinationPortRange: PortRange = "*"
    """As `sourcePortRange`."""


class SecurityRule(_Model):
    """A named rule."""

    name: Name
    """The rule's name."""
    properties: SecurityRuleProperties
    """ARM `properties` of a security rule."""


class NetworkSecurityGroup(_Model):
    """The rules of a subnet; Azure's default rules come after them."""

    securityRules: tuple[SecurityRule, ...] = ()
    """Such as [{name: web, properties: {priority: 100, direction: Inbound, access: Deny}}]."""
