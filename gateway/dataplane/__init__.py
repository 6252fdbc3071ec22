"""The data plane of SSTP: an epoll loop, non-blocking TLS, one TUN for all clients.

Single-threaded, and unprivileged once its descriptors are open. The reasons for this design:
docs/facts.md §10.
"""
