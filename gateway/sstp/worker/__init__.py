"""The worker process of SSTP: the only part of the gateway that reads strangers' bytes there.

It is started by gateway.sstp.engine with its sockets and its TUN open, gives up root, and asks
the gateway about everybody who wants to come in.
"""
