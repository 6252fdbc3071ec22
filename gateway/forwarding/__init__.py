"""Which packets the gateway forwards: for which sessions, from where, to where."""
