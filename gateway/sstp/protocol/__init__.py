"""SSTP ([MS-SSTP]) without sockets: wire formats, crypto binding, both state machines."""
