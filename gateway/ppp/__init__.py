"""PPP without I/O, both ends of it: RFC 1661 and what rides on it, as SSTP carries it."""
