"""Presents the TLS inside OpenVPN as plain TLS, so that any TLS program can talk to it.

    python -m tests.rigs.openvpn_bridge PORT GATEWAY PROFILE

For every connection to PORT on loopback it opens one to OpenVPN's port, with the tls-auth key of
the VPN client package (PROFILE: vpnconfig.ovpn), and passes on what TLS says, unread. It makes up
nothing: where the gateway hangs up, it hangs up. `Channel` has no I/O.

Source: OpenVPN's protocol page for developers: network_protocol.h, "TCP framing", "tls-auth".
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HTTPS = 443
CONTROL, ACK, HARD_RESET_CLIENT, HARD_RESET_SERVER = 4, 5, 7, 8
"""Opcodes."""
PIECE = 1000
"""Bytes of TLS in one packet."""
DIGEST, SESSION = 32, 8
_SIZE, _ID = struct.Struct(">H"), struct.Struct(">I")
_REPLAY = struct.Struct(">II")
"""A packet's number and the time."""
_KEY = re.compile(r"<tls-auth>.*?V1-----\s(?P<hex>.*?)-----END", re.DOTALL)


def static_key(profile: str) -> bytes:
    """The 256 bytes of the tls-auth key in a client's configuration."""
    found = _KEY.search(profile)
    if not found or "auth SHA256" not in profile:
        raise ValueError("no tls-auth key with SHA256 in this configuration")
    return bytes.fromhex("".join(found["hex"].split()))


class Channel:
    """The control channel of a client: TLS in, packets out, and the reverse.

    TCP loses nothing, so nothing is sent twice, and what arrives is in order.
    """

    def __init__(self, key: bytes) -> None:
        self._to_server, self._to_client = key[192 : 192 + DIGEST], key[64 : 64 + DIGEST]
        self._own, self._theirs = os.urandom(SESSION), b""
        self._sent = self._said = 0
        self._rest = b""
        self.outgoing = self._packet(HARD_RESET_CLIENT, self._numbered(b""))

    def send(self, data: bytes) -> None:
        """TLS for the server."""
        for start in range(0, len(data), PIECE):
            self.outgoing += self._packet(CONTROL, self._numbered(data[start : start + PIECE]))

    def receive(self, data: bytes) -> Iterator[bytes]:
        """TLS of the server; b"" is its answer to the reset."""
        self._rest += data
        while len(self._rest) >= 2:
            size = 2 + _SIZE.unpack_from(self._rest)[0]
            if len(self._rest) < size:
                break
            packet, self._rest = self._rest[2:size], self._rest[size:]
            yield from self._packet_of_server(packet)

    def _numbered(self, data: bytes) -> bytes:
        """A reliable message without acknowledgements."""
        self._said += 1
        return b"\0" + _ID.pack(self._said - 1) + data

    def _packet(self, opcode: int, rest: bytes) -> bytes:
        self._sent += 1
        head = bytes((opcode << 3,)) + self._own
        replay = _REPLAY.pack(self._sent, int(time.time()))
        digest = hmac.digest(self._to_server, replay + head + rest, "sha256")
        packet = head + digest + replay + rest
        return _SIZE.pack(len(packet)) + packet

    def _packet_of_server(self, packet: bytes) -> Iterator[bytes]:
        start = 1 + SESSION + DIGEST + _REPLAY.size
        head, digest = packet[: 1 + SESSION], packet[1 + SESSION : 1 + SESSION + DIGEST]
        signed = packet[1 + SESSION + DIGEST : start] + head + packet[start:]
        if hmac.digest(self._to_client, signed, "sha256") != digest:
            raise ValueError("a packet that the server did not sign")
        opcode, self._theirs = head[0] >> 3, head[1:]
        acknowledged = packet[start]
        at = start + 1 + (acknowledged * _ID.size + SESSION if acknowledged else 0)
        if opcode not in (CONTROL, HARD_RESET_SERVER):
            return
        number = packet[at : at + _ID.size]
        self.outgoing += self._packet(ACK, b"\1" + number + self._theirs)
        yield packet[at + _ID.size :]


class Connection:
    """One connection of a TLS program, and the gateway's at the other end."""

    def __init__(
        self, key: bytes, *lines: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self._channel = Channel(key)
        (self._program, self._to_program), (self._server, self._to_server) = lines
        self._begun = asyncio.Event()

    async def run(self) -> None:
        """Until one of both ends hangs up."""
        self._flush()
        ways = [asyncio.ensure_future(way) for way in (self._up(), self._down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._to_program.close()
            self._to_server.close()

    async def _up(self) -> None:
        await self._begun.wait()
        while data := await self._program.read(65536):
            self._channel.send(data)
            self._flush()

    async def _down(self) -> None:
        while data := await self._server.read(65536):
            for tls in self._channel.receive(data):
                self._begun.set()
                self._to_program.write(tls)
            self._flush()

    def _flush(self) -> None:
        self._to_server.write(self._channel.outgoing)
        self._channel.outgoing = b""


async def bridge(port: int, gateway: str, key: bytes) -> None:
    """Until the program is stopped; prints `ready`."""

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await asyncio.open_connection(gateway, HTTPS)
        await Connection(key, (reader, writer), far).run()

    async with await asyncio.start_server(between, "127.0.0.1", port) as server:
        print("ready", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(bridge(int(sys.argv[1]), sys.argv[2], static_key(Path(sys.argv[3]).read_text())))
