"""What pyrad makes of untrusted bytes: a value or nothing, at each place where they are parsed."""

from __future__ import annotations

import hmac
import os
import struct
from ipaddress import IPv4Network

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.ikev2 import radius_wire as wire
from radius import relay
from radius.packet import Answer, Request, Sent, Server
from radius.push import PushProxy
from tests.unit.radius import servers
from tests.unit.radius.servers import SECRET, attribute, vendor

HERE = ("192.0.2.9", 4000)
KINDS = st.one_of(st.sampled_from([1, 2, 5, 18, 24, 26, 31, 33, 69, 79, 80]), st.integers(0, 255))
VALUES = st.binary(max_size=40)
ATTRIBUTES = st.lists(
    st.one_of(
        st.builds(attribute, KINDS, VALUES),
        st.builds(vendor, st.sampled_from([2, 7, 16, 17, 26, 0]), VALUES),
    ),
    max_size=8,
).map(b"".join)


def request(attributes: bytes, *, signed: bool) -> bytes:
    """An Access-Request; `signed`: by someone who has the secret."""
    body = (attribute(80, bytes(16)) if signed else b"") + attributes
    head = struct.pack("!BBH", 1, 7, 20 + len(body)) + bytes(16)
    if signed:
        body = attribute(80, hmac.digest(SECRET, head + body, "md5")) + body[18:]
    return head + body


@example(attributes=b"", signed=False)
@given(attributes=ATTRIBUTES, signed=st.booleans())
def test_a_request_is_read_or_is_nothing(attributes: bytes, *, signed: bool) -> None:
    data = request(attributes, signed=signed)
    asked = wire.read(data, SECRET)
    assert signed or asked is None
    proxy = PushProxy([(IPv4Network("192.0.2.0/24"), SECRET)], b"inner", os.urandom)
    proxy.receive(data, HERE, 0.0)
    assert len(proxy.outgoing) + len(proxy.lines) == 1


@given(attributes=ATTRIBUTES, code=st.sampled_from([2, 3, 11, 1, 40]), signed=st.booleans())
def test_an_answer_is_read_or_is_a_flaw(attributes: bytes, *, code: int, signed: bool) -> None:
    server = Server("192.0.2.9", SECRET, may_omit_message_authenticator=True)
    sent = Sent(Request([("User-Name", b"alice")]), server, 7, os.urandom)
    answer = sent.read(servers.reply(sent.data, code, attributes, signed=signed))
    assert isinstance(answer, Answer | str)


@given(attributes=ATTRIBUTES, code=st.sampled_from([2, 3, 11, 1, 40]), signed=st.booleans())
def test_the_push_proxy_forwards_or_ignores_an_answer(
    attributes: bytes, *, code: int, signed: bool
) -> None:
    proxy = PushProxy([(IPv4Network("192.0.2.0/24"), SECRET)], b"inner", os.urandom)
    proxy.receive(request(attribute(1, b"alice"), signed=True), HERE, 0.0)
    ((inner, _),) = proxy.outgoing
    proxy.outgoing.clear()
    answer = servers.reply(inner, code, attributes, secret=b"inner", signed=signed)
    proxy.answered(answer, 0.0)
    assert len(proxy.outgoing) + len(proxy.lines) == 1


@given(st.binary(max_size=200))
def test_anything_at_all_is_nothing(data: bytes) -> None:
    assert wire.read(data, SECRET) is None
    assert relay.read_request(data, SECRET) is None
