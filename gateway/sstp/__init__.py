"""SSTP: the gateway's side; protocol/ has no I/O, worker/ is the unprivileged process."""
