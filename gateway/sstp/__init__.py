"""SSTP: the gateway's side of it; protocol/ has no I/O, worker/ is the process without rights."""
