"""IKEv2: charon, controlled over vici; it authenticates clients through the RADIUS relay."""
