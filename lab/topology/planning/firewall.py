"""The nftables rules of access routers and hosts, as one transaction of `nft` syntax."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.topology.model.hosts import Computer
    from lab.topology.model.topology import Access
    from lab.topology.model.values import IpAddress

_MASQUERADE = """\
  chain hide {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" masquerade
  }"""

# What leaves is judged by its port every time and never by conntrack's `established`: else a
# tunnel that was up before the rule existed would go on (docs/facts.md §14).
_FILTER = """\
  chain let_out {{
    type filter hook forward priority filter; policy drop;
{rules}
    iifname "lan" ct state related accept
    iifname "wan" ct state established,related accept
  }}"""

# Before everything else, so that conntrack and the filter see what has arrived. What the router
# itself sends or hears is not on the line.
_LOSS = """\
  chain lost {{
    type filter hook forward priority -300; policy accept;
    numgen random mod {of} < {lost} drop
  }}"""
_OF = 10_000

_SILENT = """\
  chain silent {
    type filter hook output priority filter; policy accept;
    icmp type destination-unreachable icmp code frag-needed drop
    icmpv6 type packet-too-big drop
  }
  chain silent_too {
    type filter hook forward priority filter - 1; policy accept;
    icmp type destination-unreachable icmp code frag-needed drop
    icmpv6 type packet-too-big drop
  }"""

_HOST = """\
table inet p2slab {{
  chain arriving {{
    type filter hook input priority filter; policy accept;
    iifname "lo" accept
{rules}
  }}
}}
"""

_PROTOCOLS = {"icmp": "{ icmp, ipv6-icmp }", "esp": "esp", "ah": "ah", "gre": "gre"}


def router_rules(access: Access, proxy: IpAddress | None) -> str | None:
    """The rules, or None when the router neither hides nor filters nor loses packets."""
    chains = [_MASQUERADE] if access.nat else []
    if access.loss is not None:
        chains.append(_LOSS.format(of=_OF, lost=round(access.loss * _OF)))
    if access.allow is not None or proxy is not None:
        rules = [_proxy_rule(proxy)] if proxy is not None else []
        rules += matches(access.allow or ())
        lines = "\n".join(f'    iifname "lan" {rule} accept' for rule in rules)
        chains.append(_FILTER.format(rules=lines))
    if not access.tellsMtu:
        chains.append(_SILENT)
    if not chains:
        return None
    return "\n".join(["table inet p2slab {", *chains, "}"]) + "\n"


def _proxy_rule(proxy: IpAddress) -> str:
    family = "ip" if proxy.version == 4 else "ip6"
    return f"{family} saddr {proxy}"


def host_rules(host: Computer) -> str | None:
    """The rules of a host's own firewall, or None when it has none."""
    lines = "\n".join(f"    {match} drop" for match in matches(host.firewall.deny))
    return _HOST.format(rules=lines) if lines else None


def matches(entries: Sequence[str]) -> list[str]:
    """What the entries of a firewall match."""
    ports: dict[str, set[int]] = defaultdict(set)
    protocols = []
    for entry in entries:
        name, _, port = entry.partition("/")
        if port:
            ports[name].add(int(port))
        else:
            protocols.append(_PROTOCOLS.get(name, name))
    rules = [
        f"{transport} dport {{ {', '.join(map(str, sorted(numbers)))} }}"
        for transport, numbers in sorted(ports.items())
    ]
    return rules + [f"meta l4proto {protocol}" for protocol in protocols]
