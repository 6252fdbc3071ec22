"""All targets by name; the module of one is imported when it is wanted."""

from __future__ import annotations

from importlib import import_module

from tests.fuzz.engine import Target

MODULES = {
    "http": "sstp_http",
    "sstp-packets": "sstp",
    "sstp-server": "sstp",
    "sstp-client": "sstp",
    "ppp-frames": "ppp",
    "ppp-server": "ppp",
    "ppp-client": "ppp",
    "radius-answers": "radius_packets",
    "radius-exchange": "radius_packets",
    "radius-push": "radius_packets",
    "ikev2-wire": "ikev2",
    "ikev2-relay": "ikev2",
    "worker-messages": "worker",
    "vici": "vici",
    "openvpn": "openvpn",
    "topology": "documents",
    "made-up": "documents",
    "key-files": "documents",
    "arm-gateway": "documents",
    "arm-sites": "documents",
    "certificates": "certificates",
    "eap-tls": "eap_tls",
    "eap-flights": "eap_tls",
    "eapd-messages": "eap_tls",
    "native": "native",
}
"""Name of a target, and the module of tests/fuzz/targets that has it."""


def target(name: str) -> Target:
    """One of them; KeyError."""
    module = import_module(f"tests.fuzz.targets.{MODULES[name]}")
    targets: tuple[Target, ...] = module.TARGETS
    return next(one for one in targets if one.name == name)
