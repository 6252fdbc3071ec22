"""The TLS 1.2 cipher suites that Azure's gateway accepts, for OpenVPN, SSTP and EAP-TLS.

ECDHE with ECDSA or RSA, and RSA key exchange; AES 128 and 256 in GCM mode, or in CBC mode with
SHA-256 or SHA-384; no SHA-1, RC4 or 3DES (docs/facts.md §3).
"""

AZURE = "ECDHE+AESGCM:ECDHE+AES+SHA384:ECDHE+AES+SHA256:kRSA+AESGCM:kRSA+AES+SHA256"
"""In OpenSSL's format (openssl-ciphers(1))."""
