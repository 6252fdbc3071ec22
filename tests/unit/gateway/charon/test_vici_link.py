"""Sessions with a fake charon that has a short listen queue."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from vici.protocol import FiniteStream, Message, Packet, Transport

from gateway.charon.vici_link import ViciLink

MANY = 200


class SlowCharon:
    """Accepts connections one by one; after four, only when the previous one is closed."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.terminated: list[bytes] = []
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                end, _ = self.listener.accept()
                self.ends.append(end)
                if len(self.ends) <= 4:  # those that are kept
                    threading.Thread(target=self._answer, args=(end,), daemon=True).start()
                else:
                    self._answer(end)

    def _answer(self, end: socket.socket) -> None:
        transport = Transport(end)
        with suppress(OSError):
            while True:
                data = transport.receive()
                if data[0] != Packet.CMD_REQUEST:
                    transport.send(bytes([Packet.EVENT_CONFIRM]))
                    continue
                message = FiniteStream(data[2 + data[1] :])  # behind the command's name
                self.terminated.append(Message.deserialize(message)["ike-id"])
                transport.send(bytes([Packet.CMD_RESPONSE]))

    def close(self) -> None:
        for end in (self.listener, *self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def charon(tmp_path: Path) -> Iterator[SlowCharon]:
    charon = SlowCharon(tmp_path / "vici")
    yield charon
    charon.close()


async def test_a_full_listen_queue_makes_orders_wait_and_loses_none(
    charon: SlowCharon, tmp_path: Path
) -> None:
    link = ViciLink(tmp_path / "vici")
    await link.connect(lambda _name, _message: None)
    orders = (link.apart("terminate", {"ike-id": str(number)}) for number in range(MANY))
    await asyncio.gather(*orders)
    link.close()
    assert sorted(map(int, charon.terminated)) == list(range(MANY))
