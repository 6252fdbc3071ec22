"""Probes inside a node: what is sent, and what they say of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab.nodes import probes
from lab.nodes.namespace import NamespaceNode
from tests.rigs.isolated import isolated
from tests.unit.lab.nodes.test_namespace import on_a_pc

BODY = b"\x02\x07\x00\x14 an answer"


@pytest.mark.parametrize("held", [True, False], ids=["a program has it", "nobody has it"])
def test_an_answer_comes_from_a_port_that_a_program_has(tmp_path: Path, held: bool) -> None:
    def there() -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            if held:
                server.bind(("10.0.0.2", 1812))
            client.settimeout(30)
            client.connect(("10.0.0.2", 1812))  # it hears nobody else
            own = client.getsockname()
            assert probes.answer("10.0.0.2", 1812, *own, BODY.hex()) == "sent"
            assert client.recv(100) == BODY
            assert client.getpeername() == ("10.0.0.2", 1812)

    async def test(pc: NamespaceNode) -> None:
        await pc.call(there)

    on_a_pc(test, tmp_path)


def test_a_listener_is_found_without_a_connection() -> None:
    def there() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert probes.is_listened_on(port)
            server.settimeout(0)
            with pytest.raises(BlockingIOError):
                server.accept()
        assert not probes.is_listened_on(port)

    isolated(there)
