"""SSTP's worker process: the only process of the gateway that parses SSTP clients' bytes.

gateway.sstp.engine starts it with open sockets and TUN. It drops all privileges, and asks the
gateway whether to admit each client.
"""
