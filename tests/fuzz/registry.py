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
    "radius-relay": "radius_packets",
    "radius-door": "radius_packets",
    "worker-messages": "daemons",
    "vici": "daemons",
    "openvpn": "daemons",
    "topology": "documents",
    "key-files": "documents",
    "arm-gateway": "documents",
    "arm-sites": "documents",
    "certificates": "certificates",
    "native": "native",
}
"""Name of a target, and the module of tests/fuzz/targets that has it."""


def target(name: str) -> Target:
    """One of them; KeyError."""
    module = import_module(f"tests.fuzz.targets.{MODULES[name]}")
    targets: tuple[Target, ...] = module.TARGETS
    return next(one for one in targets if one.name == name)
