"""The judge of certificates for every protocol, which ends EAP-TLS in a process without rights."""
