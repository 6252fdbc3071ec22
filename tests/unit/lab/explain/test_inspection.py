"""Who stands between client and gateway shows another certificate than the gateway does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.inspection import NONE, Shown, certificate_on, judge, look_at_certificates
from lab.nodes.base import Completed
from lab.topology.planning.wiring import INTERNET
from tests.unit.lab.checks.fakes import FakeNode
from tests.unit.lab.explain.test_dial import attempt, broken, record

SHOWN = Shown("alice", "office", "203.0.113.2", "issuer CN=inspection", "issuer CN=public")


def told(issuer: str) -> Completed:
    """As curl -v writes it."""
    text = f"* Server certificate:\n*  subject: CN=gw\n*  start date: now\n*  issuer: CN={issuer}\n"
    return Completed(0, "", text)


async def looked(there: Completed, outside: Completed) -> Shown | None:
    nodes = {name: FakeNode(name) for name in ("alice", INTERNET)}
    nodes["alice"].prints["curl"], nodes[INTERNET].prints["curl"] = there, outside
    world: Any = SimpleNamespace(nodes=nodes)
    access = SimpleNamespace(name="office")
    client: Any = SimpleNamespace(name="alice", access=access, node=nodes["alice"])
    return await look_at_certificates(client, world, "gw.test", "203.0.113.2")


async def test_another_issuer_is_seen() -> None:
    seen = await looked(told("inspection"), told("public"))
    assert seen
    assert seen.there == "subject CN=gw, issuer CN=inspection"
    assert seen.outside == "subject CN=gw, issuer CN=public"


async def test_a_certificate_where_the_gateway_has_none_is_seen() -> None:
    seen = await looked(told("inspection"), Completed(35, "", "reset"))
    assert seen
    assert seen.outside == NONE


@pytest.mark.parametrize("there", [told("public"), Completed(7, "", "refused")])
async def test_the_same_certificate_or_none_is_no_inspection(there: Completed) -> None:
    assert await looked(there, told("public")) is None


async def test_a_name_is_asked_for_at_its_address() -> None:
    node: Any = FakeNode("alice")
    node.prints["curl"] = told("public")
    await certificate_on(node, "gw.test", "203.0.113.2")
    assert node.ran[0][-3:] == ["--resolve", "gw.test:443:203.0.113.2", "https://gw.test/"]


def test_both_certificates_are_told() -> None:
    found = judge(SHOWN, "TLS: CERTIFICATE_VERIFY_FAILED", 0.0)
    assert found.layer == "tls"
    assert found.cause.index("CN=inspection") < found.cause.index("CN=public")


def test_whom_the_gateway_heard_reached_it() -> None:
    one = attempt(protocol="SSTP", reason="server-untrusted", shown=SHOWN)
    assert broken(one).layer == "tls"
    assert broken(attempt(protocol="SSTP", shown=SHOWN, record=record("revoked"))).layer == (
        "revocation"
    )
