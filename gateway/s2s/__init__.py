"""Site-to-site tunnels, in the charon that serves point-to-site IKEv2."""
