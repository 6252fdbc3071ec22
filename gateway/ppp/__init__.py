"""PPP without I/O, both ends: RFC 1661 and the protocols above it, in SSTP's framing."""
