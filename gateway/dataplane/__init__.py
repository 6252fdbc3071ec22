"""The data plane of SSTP: an epoll loop, TLS without blocking, one TUN for all clients.

Single-threaded, and without root once its descriptors are open. Why it is built this way:
docs/facts.md §10.
"""
