"""What the gateway reads from charon over vici. Names and words in it are strangers'."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from typing import Any

from vici.exception import DeserializationException
from vici.protocol import FiniteStream, Message

from gateway.charon import vici_messages
from gateway.ikev2.refusals import MOST_REMEMBERED, Refusals
from gateway.policy.diagnostics import DiagnosticLog
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_steps, split


def vici_seeds() -> list[bytes]:
    child = {"name": "p2s", "uniqueid": "1", "state": "INSTALLED", "bytes-in": "10",
             "bytes-out": "11", "packets-in": "1", "packets-out": "2"}  # fmt: skip
    sa = {"uniqueid": "7", "state": "ESTABLISHED", "remote-host": "192.0.2.2", "version": "2",
          "remote-id": "CN=alice", "remote-eap-id": "alice", "remote-vips": ["172.16.9.2"],
          "child-sas": {"p2s-1": child}}  # fmt: skip
    lines = (
        "192.0.2.2 is initiating an IKE_SA", "received proposals unacceptable",
        "no IKE config found for 203.0.113.2...192.0.2.2, sending NO_PROPOSAL_CHOSEN",
        "authentication of 'alice' with EAP failed", "no virtual IP found for %any, as",
        "traffic selectors 0.0.0.0/0 === 10.0.0.0/8 unacceptable",
        "generating IKE_AUTH response 1 [ IDr CERT N(AUTH_FAILED) ]",
        "generating IKE_SA_INIT response 0 [ N(NO_PROP) ]",
    )  # fmt: skip
    events: list[tuple[int, dict[str, Any]]] = [
        (0, {"up": "yes", "p2s-eap-tls": sa}),
        (1, {"up": "yes", "p2s-eap-tls": sa}),
        (2, {"p2s-eap-tls": {"old": sa, "new": sa | {"uniqueid": "8"}}}),
        (3, {"p2s-eap-tls": sa | {"child-sas": {"p2s-1": {"old": child, "new": child}}}}),
        *((4, {"group": "IKE", "level": "1", "thread": "3", "ikesa-name": "p2s",
               "ikesa-uniqueid": "7", "msg": line}) for line in lines),
    ]  # fmt: skip
    return [join([(kind, Message.serialize(message)) for kind, message in events])]


def vici(data: bytes) -> None:
    """Any message of charon's is some events, or none; what is remembered of them is bounded."""
    log = DiagnosticLog()
    refusals = Refusals(
        log, lambda: frozenset(("192.0.2.3",)), lambda number: number == "8", lambda _: None
    )
    with redirect_stderr(io.StringIO()):
        _vici(data, refusals)
    assert len(refusals._attempts) <= MOST_REMEMBERED
    json.dumps(log.documents())


def _vici(data: bytes, refusals: Refusals) -> None:
    for kind, content in split(data):
        try:
            message = Message.deserialize(FiniteStream(content))
        except (DeserializationException, UnicodeDecodeError, ValueError, OSError):
            continue
        except Exception as error:
            if type(error).__module__ != "struct":
                raise
            continue
        for event in vici_messages.event(vici_messages.EVENTS[kind % 5], message):
            hash(event)
            if isinstance(event, vici_messages.LogLine):
                refusals.feed(event)


TARGETS = (
    Target("vici", vici_seeds, vici,
           ("gateway/charon/vici_messages.py", "gateway/ikev2/refusals.py"),
           of_steps(5), quick=400),
)  # fmt: skip
