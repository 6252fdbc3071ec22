"""Observing a lab: packet captures and fingerprints of the machine."""
