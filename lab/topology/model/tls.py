"""Legacy cipher suites, from before TLS 1.2, that old clients offer.

IANA's names and numbers (TLS Cipher Suites registry). Seed: "Starting July 1, 2018, support is
being removed for TLS 1.0 and 1.1", and "the following legacy algorithms will also be deprecated":
RC4, DES, 3DES and MD5.
"""

from __future__ import annotations

from typing import Literal

TlsVersion = Literal["1.0", "1.1", "1.2"]
CipherSuite = Literal[
    "TLS_RSA_WITH_RC4_128_MD5",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_DES_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
]

CIPHER_SUITES: dict[CipherSuite, int] = {
    "TLS_RSA_WITH_RC4_128_MD5": 0x0004,
    "TLS_RSA_WITH_RC4_128_SHA": 0x0005,
    "TLS_RSA_WITH_DES_CBC_SHA": 0x0009,
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA": 0x000A,
    "TLS_RSA_WITH_AES_128_CBC_SHA": 0x002F,
    "TLS_RSA_WITH_AES_256_CBC_SHA": 0x0035,
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA": 0xC011,
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": 0xC012,
}
"""Numbers on the wire."""
OPENSSL_NAMES: dict[CipherSuite, str] = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}
"""Those that the libraries of openvpn and charon can still offer, by OpenSSL's own names (measured:
OpenSSL 3.0, charon 5.9.8)."""
