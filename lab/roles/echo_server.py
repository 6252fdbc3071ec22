"""The echo program itself: `python -m lab.roles.echo_server PORT ADDRESS` (RFC 862). An empty
address is every one."""

from __future__ import annotations

import socketserver
import sys
import threading


class _Stream(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, line = self.request
        line.sendto(data, self.client_address)


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    """Serve until killed. UDP is bound before TCP, so whoever reaches TCP reaches both."""
    port, address = int(sys.argv[1]), sys.argv[2]
    with (
        socketserver.UDPServer((address, port), _Datagram) as datagrams,
        _TcpServer((address, port), _Stream) as streams,
    ):
        threading.Thread(target=datagrams.serve_forever, daemon=True).start()
        streams.serve_forever()


if __name__ == "__main__":
    main()
