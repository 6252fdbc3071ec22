"""A man in the middle: `python -m tests.labs.tls_relay ADDRESS PEM GATEWAY NAME ROOT`.

It ends TLS with a certificate of its own, speaks TLS to the gateway, and passes everything on.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading

LIMIT = 30.0


def relay(address: str, pem: str, gateway: str, name: str, root: str) -> None:
    """For every connection, until the program is stopped."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(pem)
    theirs = ssl.create_default_context(cafile=root)
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server((address, 443)) as listener:
        print("ready", flush=True)
        while True:
            stream, _ = listener.accept()
            threading.Thread(
                target=_between, args=(stream, ours, (gateway, name), theirs), daemon=True
            ).start()


def _between(
    stream: socket.socket, ours: ssl.SSLContext, to: tuple[str, str], theirs: ssl.SSLContext
) -> None:
    far = socket.create_connection((to[0], 443), LIMIT)
    try:
        with (
            ours.wrap_socket(stream, server_side=True) as client,
            theirs.wrap_socket(far, server_hostname=to[1]) as server,
        ):
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join(LIMIT)
    except OSError:
        stream.close()
        far.close()


def _pass_on(source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
    try:
        while data := source.recv(16384):
            target.sendall(data)
    except OSError:
        pass
    target.close()


if __name__ == "__main__":
    relay(*sys.argv[1:])
