"""The limit: a plain TLS 1.2 stream of 64 KiB writes, one process at each end.

python -m tests.bench.plain_tls serve ADDRESS CERTIFICATE KEY | receive ADDRESS SECONDS
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

PORT = 443
PIECE = 65536


def serve(address: str, certificate: str, key: str) -> None:
    """Send to the client until it disconnects; `ready` on stdout when it listens."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    with socket.create_server((address, PORT)) as listener:
        print("ready", flush=True)
        with context.wrap_socket(listener.accept()[0], server_side=True) as stream:
            piece = bytes(PIECE)
            try:
                while True:
                    stream.sendall(piece)
            except (ConnectionError, ssl.SSLError):
                return


def receive(address: str, seconds: float) -> None:
    """Print Gbit/s."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what is measured is the stream
    with context.wrap_socket(socket.create_connection((address, PORT))) as stream:
        buffer = memoryview(bytearray(4 * PIECE))
        total, began = 0, time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            total += stream.recv_into(buffer)
    print(total * 8 / elapsed / 1e9)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        receive(sys.argv[2], float(sys.argv[3]))
