"""The RADIUS site, and what the gateway needs to speak RADIUS."""
