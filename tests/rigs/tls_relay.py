"""A man in the middle: `python -m tests.rigs.tls_relay ADDRESS PEM GATEWAY NAME ROOT`.

It ends TLS with a certificate of its own, speaks TLS to the gateway, and passes everything on.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress

PIECE = 16384


async def relay(address: str, pem: str, gateway: str, name: str, root: str) -> None:
    """For every connection, until the program is stopped."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(pem)
    theirs = ssl.create_default_context(cafile=root)
    ours.maximum_version = theirs.maximum_version = ssl.TLSVersion.TLSv1_2

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await asyncio.open_connection(gateway, 443, ssl=theirs, server_hostname=name)
        await asyncio.gather(_pass_on(reader, far[1]), _pass_on(far[0], writer))

    async with await asyncio.start_server(between, address, 443, ssl=ours) as server:
        print("ready", flush=True)
        await server.serve_forever()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(PIECE):
            target.write(data)
            await target.drain()
    target.close()


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))
