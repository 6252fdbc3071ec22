"""Why a RADIUS server gave a gateway no answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.model import failure
from lab.explain.radius_server import ServerSeen
from tests.unit.lab.explain.test_dial import DROPPED, PATH, attempt, broken, followed, record

SERVER = ServerSeen("192.168.50.10", "radius", listens=True, followed=None)


@pytest.mark.parametrize(
    ("server", "layer", "words"),
    [
        (replace(SERVER, dropped=("Shared secret is incorrect",)), "radius-secret", "differs"),
        (
            replace(SERVER, unknown=("unknown client",), clients=("10.9.0.0/27",)),
            "radius-path",
            "its clients are 10.9.0.0/27",
        ),
        (
            replace(SERVER, astray=failure("way-back", "no way back", remedy="")),
            "radius-path",
            "no way back",
        ),
        (
            replace(SERVER, followed=followed("alice", dropped=DROPPED)),
            "radius-path",
            "dropped by the firewall of hotel",
        ),
        (replace(SERVER, asks=("alice",)), "factor", "telephone"),
        (replace(SERVER, listens=False), "radius-path", "not running"),
        (replace(SERVER, followed=followed("alice")), "radius-path", "does not arrive"),
        (replace(SERVER, followed=followed(*PATH)), "radius-path", "did not answer within 30 s"),
    ],
)
def test_a_silent_radius_server(server: ServerSeen, layer: str, words: str) -> None:
    one = attempt(record=record("radius-no-answer"), servers=(server,))
    assert broken(one).layer == layer
    assert words in broken(one).cause


def test_two_causes_are_both_named_the_first_first() -> None:
    tunnel = failure("s2s", "the keys differ", "AUTH_FAILED", remedy="one key")
    server = replace(SERVER, listens=False, tunnel=tunnel, path="connection office: NotConnected")
    found = broken(attempt(record=record("radius-no-answer"), servers=(server,)))
    assert found.layer == "s2s"
    assert found.cause.index("the keys differ") < found.cause.index("not running")
