"""The cipher suites of TLS 1.2 that Azure's gateway takes, for SSTP and for EAP-TLS alike.

ECDHE with ECDSA or RSA and RSA's own key exchange, AES 128 and 256 by GCM, or by CBC with SHA-256
or SHA-384; no SHA-1, no RC4, no 3DES (docs/facts.md §3).
"""

AZURE = "ECDHE+AESGCM:ECDHE+AES+SHA384:ECDHE+AES+SHA256:kRSA+AESGCM:kRSA+AES+SHA256"
"""As OpenSSL's list (openssl-ciphers(1))."""
