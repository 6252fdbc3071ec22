"""charon, which serves point-to-site IKEv2 and site-to-site tunnels, and its datapath."""
