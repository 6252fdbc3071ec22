"""The nftables rules of access routers and hosts, as one transaction of `nft` syntax."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lab.topology.model.values import traffic_of

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

SIGNED_IN = "signed_in"
"""The set of addresses of computers whose users have signed in at the captive portal."""
PORTAL_PORTS = {80: 8080, 443: 8443}
"""Where the portal answers for everybody's port."""
_PORTAL = f"""\
  set {SIGNED_IN} {{
    type ipv4_addr
  }}
  chain portal {{
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" ip saddr != @{SIGNED_IN} tcp dport 80 redirect to :{PORTAL_PORTS[80]}
    iifname "lan" ip saddr != @{SIGNED_IN} tcp dport 443 redirect to :{PORTAL_PORTS[443]}
  }}
  chain not_signed_in {{
    type filter hook forward priority filter - 3; policy accept;
    iifname "lan" ip saddr @{SIGNED_IN} accept
    iifname "lan" meta l4proto {{ tcp, udp }} th dport 53 accept
    iifname "lan" drop
  }}"""

INSPECTION_PORT = 8444
"""Where the router breaks TLS open."""
_INSPECTION = f"""\
  chain inspected {{
    type nat hook prerouting priority dstnat + 1; policy accept;
    iifname "lan" meta nfproto ipv4 tcp dport 443 redirect to :{INSPECTION_PORT}
  }}"""

# Each packet is judged, as in _FILTER.
_BLOCKED = """\
  chain blocked {{
    type filter hook forward priority filter - 2; policy accept;
{rules}
  }}"""
_RESET, _PROHIBITED = "reject with tcp reset", "reject with icmpx admin-prohibited"

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

FABRIC = """\
table inet p2slab {
  chain tunnels {
    type filter hook forward priority filter; policy accept;
    ip protocol { 4, 47 } drop comment "no VNet carries IP-in-IP and GRE"
  }
}
"""
"""Of a VNet, for all that passes between its subnets, and comes from its gateways or leaves by them
(azure-docs virtual-networks-faq, "What protocols can I use within VNets?"). Neighbours in a subnet
are switched, and not judged here."""

# What an ICMP error quotes begins 8 bytes behind the error's own header, with the IP header whose
# destination is 16 bytes further.
_PROVIDER = """\
table inet p2slab {{
  chain silent {{
    type filter hook output priority filter; policy accept;
    icmp type destination-unreachable icmp code frag-needed @th,192,32 {{ {addresses} }} drop
  }}
}}
"""

_PROTOCOLS = {"icmp": "{ icmp, ipv6-icmp }", "esp": "esp", "ah": "ah", "gre": "gre"}


def router_rules(access: Access, proxy: IpAddress | None) -> str | None:
    """The rules, or None when the router has none."""
    chains = [_MASQUERADE] if access.nat else []
    if access.loss is not None:
        chains.append(_LOSS.format(of=_OF, lost=round(access.loss * _OF)))
    if access.portal:
        chains.append(_PORTAL)
    if access.inspects:
        chains.append(_INSPECTION)
    if rules := [*_blocking(access)]:
        lines = "\n".join(f'    iifname "lan" {rule}' for rule in rules)
        chains.append(_BLOCKED.format(rules=lines))
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


def provider_rules(silent: Sequence[IpAddress]) -> str | None:
    """Those of the Internet's router: the lines to these addresses are of providers that tell
    nobody which packets are too large for them."""
    addresses = ", ".join(f"0x{int(address):08x}" for address in silent)
    return _PROVIDER.format(addresses=addresses) if silent else None


def router_sysctls(access: Access) -> tuple[tuple[str, str], ...]:
    """How long the router remembers a UDP connection, if that is not as long as the kernel does."""
    if access.udpTimeout is None:
        return ()
    names = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
    return tuple((f"netfilter/{name}", f"{access.udpTimeout:.0f}") for name in names)


def _blocking(access: Access) -> Iterator[str]:
    """What it rejects, then what it drops."""
    for entry in access.reject:
        for match, tcp in _traffic(entry):
            yield f"{match} {_RESET if tcp else _PROHIBITED}"
    for entry in access.deny:
        for match, _ in _traffic(entry):
            yield f"{match} drop"


def _traffic(entry: str) -> Iterator[tuple[str, bool]]:
    """What an entry such as `tcp/443 to 203.0.113.2` matches, and whether that is TCP."""
    service, prefix = traffic_of(entry)
    family = "ip" if prefix and prefix.version == 4 else "ip6"
    towards = f"{family} daddr {prefix} " if prefix else ""
    if service:
        yield towards + matches((service,))[0], service.startswith("tcp")
        return
    yield f"{towards}meta l4proto tcp", True
    yield towards.rstrip(), False


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
