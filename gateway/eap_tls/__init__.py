"""Certificate verification and the EAP-TLS server for every protocol, in an unprivileged worker."""
