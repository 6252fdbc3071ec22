"""Which packets pass the gateway: for whom, from where, to where."""
