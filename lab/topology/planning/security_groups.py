"""nftables rules of network security groups. As in Azure they stand at each computer of the subnet,
so they judge packets between neighbours, too.

Source: azure-docs virtual-network/network-security-groups-overview: default rules, statefulness,
and 168.63.129.16, which no rule keeps away.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import collapse_addresses, ip_network
from typing import TYPE_CHECKING

from lab.topology.planning.addressing import AZURE_DNS, pool

if TYPE_CHECKING:
    from lab.topology.model.security_groups import NetworkSecurityGroup, SecurityRuleProperties
    from lab.topology.model.topology import Topology
    from lab.topology.model.values import Network

_TABLE = """\
table inet network_security_group {{
  chain inbound {{
    type filter hook input priority filter - 10; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ip saddr {azure} accept
{inbound}
{virtual_network}
  }}
  chain outbound {{
    type filter hook output priority filter - 10; policy accept;
    oifname "lo" accept
    ct state established,related accept
    ip daddr {azure} accept
{outbound}
  }}
}}
"""
_VERDICTS = {"Allow": "accept", "Deny": "drop"}
_PROTOCOLS = {
    "Tcp": "tcp", "Udp": "udp", "Icmp": "{ icmp, ipv6-icmp }", "Esp": "esp", "Ah": "ah",
}  # fmt: skip
_PORTS = {"Tcp": "tcp", "Udp": "udp"}


def group_rules(group: NetworkSecurityGroup, near: Sequence[Network]) -> str:
    """The table; `near`: the prefixes of the tag VirtualNetwork."""
    chains: dict[str, list[str]] = {"Inbound": [], "Outbound": []}
    for rule in sorted(group.securityRules, key=lambda rule: rule.properties.priority):
        lines = _lines(rule.properties, near)
        chains[rule.properties.direction] += [f'{line} comment "{rule.name}"' for line in lines]
    text = {name.lower(): "\n".join(f"    {line}" for line in chains[name]) for name in chains}
    own = "\n".join(
        f"    {source} {target} accept"
        for source in _matches("saddr", "VirtualNetwork", near)
        for target in _matches("daddr", "VirtualNetwork", near)
        if source.split()[0] == target.split()[0]
    )
    return _TABLE.format(azure=AZURE_DNS, virtual_network=own, **text)


def virtual_network(topology: Topology, name: str) -> tuple[Network, ...]:
    """The tag VirtualNetwork: the VNet, the sites and pools of its gateways, and linked sites."""
    found = [*topology.vnets[name].addressSpace]
    gateways = [gateway for gateway, spec in topology.gateways.items() if spec.vnet == name]
    for gateway in gateways:
        found += pool(topology, gateway)
    for site in topology.sites.values():
        if site.privateLink or (site.connection and site.connection.to in gateways):
            found += site.known_prefixes
    return tuple(
        prefix
        for version in (4, 6)
        for prefix in collapse_addresses(one for one in found if one.version == version)  # type: ignore[type-var]
    )


def _lines(rule: SecurityRuleProperties, near: Sequence[Network]) -> list[str]:
    ports = {"sport": rule.sourcePortRange, "dport": rule.destinationPortRange}
    rest = [f"meta l4proto {_PROTOCOLS[rule.protocol]}"] if rule.protocol in _PROTOCOLS else []
    rest += [
        f"{_PORTS.get(rule.protocol, 'th')} {end} {given}"
        for end, given in ports.items()
        if given != "*"
    ]
    if "th" in {part.split()[0] for part in rest}:
        rest.insert(0, "meta l4proto { tcp, udp }")
    verdict = _VERDICTS[rule.access]
    return [
        " ".join([*filter(None, (source, target)), *rest, verdict])
        for source in _matches("saddr", rule.sourceAddressPrefix, near)
        for target in _matches("daddr", rule.destinationAddressPrefix, near)
        if not source or not target or source.split()[0] == target.split()[0]
    ]


def _matches(end: str, given: str, near: Sequence[Network]) -> list[str]:
    """One match for each family of addresses; empty text: every packet."""
    if given == "*":
        return [""]
    inverted = "!= " if given == "Internet" else ""
    prefixes = near if given in ("VirtualNetwork", "Internet") else (ip_network(given),)
    families = {"ip": 4, "ip6": 6}
    by_family = {
        word: ", ".join(str(prefix) for prefix in prefixes if prefix.version == version)
        for word, version in families.items()
    }
    return [f"{word} {end} {inverted}{{ {texts} }}" for word, texts in by_family.items() if texts]
