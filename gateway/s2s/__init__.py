"""Site-to-site tunnels, in the charon that also serves point-to-site IKEv2."""
