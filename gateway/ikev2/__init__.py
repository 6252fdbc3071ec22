"""IKEv2: charon, driven over vici; it asks the relay who may come in."""
