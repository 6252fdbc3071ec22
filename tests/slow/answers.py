"""What `explain` has to say of everybody whom a topology of the project refuses: the layer, and a
word of the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from lab.explain.model import Layer
from lab.topology.load import TopologyFile
from lab.topology.model.steps import CannotReach, CannotResolve, Refused, text_of

ASKED = (Refused, CannotReach, CannotResolve)
"""The steps after which `explain` is asked."""
Answer = tuple[Layer, str]

REASONS: Mapping[str, Answer] = {
    "account-expired": ("radius-verdict", "the account has expired"),
    "administrator": ("client-policy", "no administrator rights"),
    "certificate": ("certificate", "does not accept the certificate: "),
    "certificate-revoked": ("revocation", "revoked by its authority's list"),
    "disabled": ("radius-verdict", "the account is disabled"),
    "expired": ("certificate", "has expired"),
    "locked-out": ("radius-verdict", "locked out after wrong passwords"),
    "must-change-password": ("radius-verdict", "must be changed"),
    "no-certificate": ("certificate", "no certificate to show"),
    "no-client-auth": ("certificate", "clientAuth"),
    "no-directory": ("radius-verdict", "cannot reach its domain controller"),
    "no-proposal": ("ike-proposal", " proposal: the gateway takes "),
    "no-protocol": ("client-policy", "the gateway"),
    "not-in-group": ("radius-verdict", "not in the group"),
    "not-yet-valid": ("certificate", "not valid yet"),
    "password": ("radius-verdict", "the password is wrong"),
    "revoked": ("revocation", "vpnClientRevokedCertificates"),
    "second-factor-denied": ("factor", "denied"),
    "second-factor-late": ("factor", "30 s"),
    "system": ("client-policy", " dials "),
    "tls": ("tls", "TLS"),
    "typed-code": ("factor", "typed code"),
    "unknown-user": ("radius-verdict", "does not know the user"),
    "untrusted": ("certificate", "its chain ends at"),
}
"""By the reason of `refused`, wherever it means the same."""

ROWS: Mapping[tuple[str, str], tuple[Answer, ...]] = {
    ("bgp", "app1"): (("route", "BGP does not run"),),
    ("bgp", "radius-no-answer"): (("radius-path", "BGP does not run"),),
    ("corporate-proxy", "dave"): (("firewall", "the firewall of"),),
    ("corporate-proxy", "erin"): (("proxy", "proxy"),),
    ("corporate-proxy", "no-answer"): (("firewall", "udp/500"),),
    ("corporate-proxy", "proxy"): (("proxy", "proxy"),),
    ("expressroute-radius", "contoso-gw"): (("route", "private link"),),
    ("expressroute-radius", "radius-no-answer"): (("radius-path", "private link"),),
    ("gateway-sizes", "alice"): (("gateway-down", "contoso-gw is deleted"),),
    ("gateway-sizes", "no-answer"): (("gateway-down", "contoso-gw is deleted"),),
    ("gateway-sizes", "till"): (("gateway-down", "contoso-gw is deleted"),),
    ("hotel-wifi", "carol"): (("firewall", "the firewall of hotel"),),
    ("hotel-wifi", "no-answer"): (("firewall", "the firewall of hotel"),),
    ("ike-ports", "no-answer"): (("firewall", "udp/"),),
    ("mfa-too-late", "alice"): (("factor", "30 s"),),
    ("no-reconnect", "dave"): (("pool", "left the address pool"),),
    ("one-vnet-at-a-time", "alice"): (
        ("route", "app2 is in the VNet fabrikam"),
        ("route", "app1 is in the VNet contoso"),
        ("route", "app2 is in the VNet fabrikam"),
    ),
    ("quickstart", "alice"): (("client-policy", "has not dialled"),),
    ("quickstart", "carol"): (("revocation", "vpnClientRevokedCertificates"),),
    ("radius-failover", "radius-no-answer"): (("radius-path", "192.168.50.11"),),
    ("radius-in-vnet", "radius-no-answer"): (("radius-secret", "the shared secret"),),
    ("revoked-certificate", "alice"): (("revocation", "vpnClientRevokedCertificates"),),
    ("s2s-down", "app1"): (("firewall", "the fault s2s-cut"),),
    ("s2s-down", "radius-no-answer"): (("firewall", "the fault s2s-cut"),),
    ("s2s-routes", "app1"): (("route", "addressPrefixes"),),
    ("s2s-routes", "radius-no-answer"): (("radius-path", "addressPrefixes"),),
    ("sstp", "alice"): (("client-policy", "has not dialled"),),
    ("sstp", "carol"): (("revocation", "vpnClientRevokedCertificates"),),
    ("sstp-proxy", "dave"): (("firewall", "the firewall of"),),
    ("sstp-proxy", "erin"): (("proxy", "proxy"),),
    ("sstp-proxy", "no-answer"): (("firewall", "udp/500"),),
    ("sstp-proxy", "proxy"): (("proxy", "proxy"),),
    ("sstp-proxy-radius", "dave"): (("firewall", "the firewall of"),),
    ("sstp-proxy-radius", "david"): (("client-policy", "has not dialled"),),
    ("tls-too-old", "old"): (("tls", "TLS"),),
    ("tls-too-old-openvpn", "old"): (("tls", "TLS"),),
    ("vnet-to-vnet", "alice"): (("route", "west1 is in the VNet west"),),
    ("vnet-to-vnet", "east1"): (
        ("firewall", "the fault s2s-cut"),
        ("gateway-down", "west-gw is deleted"),
    ),
    ("wrong-ca", "mallory"): (("certificate", "its chain ends at"),),
    ("zone-redundant", "bob"): (("gateway-down", "availability zone has failed"),),
    ("zone-redundant", "no-answer"): (("gateway-down", "availability zone has failed"),),
}
"""By topology and node, or reason of `refused` whose meaning depends on the topology; in the order
of the steps, of which the last answer is for all that follow."""

NAME: Answer = ("dns-inside", "does not know")


def wanted(file: TopologyFile) -> Iterator[tuple[str, Answer]]:
    """The text of each step that is asked about, and the answer. KeyError: there is no row."""
    name, times = file.topology.name, Counter[str]()
    for step in file.topology.expect:
        if isinstance(step, CannotResolve):
            yield text_of(step), NAME
        elif isinstance(step, Refused | CannotReach):
            key = str(step.because) if isinstance(step, Refused) else step.cannotReach
            rows = (REASONS[key],) if key in REASONS else ROWS[name, key]
            yield text_of(step), rows[min(times[key], len(rows) - 1)]
            times[key] += 1
