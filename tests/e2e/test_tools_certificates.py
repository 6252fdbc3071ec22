"""Root and client certificates as each tool of the seed makes them, over all protocols.

The shapes are those of azure-docs: vpn-gateway-certificates-point-to-site (Azure PowerShell),
vpn-gateway-certificates-point-to-site-makecert, and of OpenSSL's own configuration file, whose
extensions usr_cert the seed names. openssl makes all of them.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.e2e.test_roots import ALL, OVER, uploading
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import Forged
from tests.rigs.gateway_bench import Bench, on_a_gateway

CONFIGURATION = """\
[req]
distinguished_name = dn
[dn]
[bare]
[v3_ca]
basicConstraints = critical,CA:true
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer
[usr_cert]
basicConstraints = CA:FALSE
nsComment = OpenSSL Generated Certificate
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid,issuer
keyUsage = nonRepudiation,digitalSignature,keyEncipherment
extendedKeyUsage = clientAuth,emailProtection
[enterprise_ca]
basicConstraints = critical,CA:true
keyUsage = digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
1.3.6.1.4.1.311.21.1 = ASN1:INTEGER:0
[enterprise_issuing]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = digitalSignature,keyCertSign,cRLSign
1.3.6.1.4.1.311.20.2 = ASN1:BMPSTRING:SubCA
[enterprise_user]
1.3.6.1.4.1.311.20.2 = ASN1:BMPSTRING:User
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = 1.3.6.1.4.1.311.10.3.4,emailProtection,clientAuth
subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp.contoso.test
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[powershell_root]
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[powershell_child]
keyUsage = critical,digitalSignature
subjectAltName = DNS:P2SChildCert
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[makecert]
subjectKeyIdentifier = none
authorityKeyIdentifier = none
2.5.29.1 = ASN1:SEQUENCE:obsolete
[obsolete]
key = IMPLICIT:0,OCTETSTRING:an MD5 of the issuer's key
"""
"""MakeCert writes the obsolete authority key identifier (2.5.29.1) and nothing else."""


@dataclass(frozen=True)
class Tool:
    """Extensions and subject of what it makes; `middle`: of an authority between the two."""

    root: tuple[str, str]
    client: tuple[str, str]
    bits: int = 2048
    middle: tuple[str, str] | None = None


TOOLS = {
    "OpenSSL": Tool(("v3_ca", "/CN=VPN CA"), ("usr_cert", "/C=US/O=Contoso/CN=client"), 4096),
    "enterprise PKI": Tool(
        ("enterprise_ca", "/DC=test/DC=contoso/CN=contoso-DC1-CA"),
        ("enterprise_user", "/DC=test/DC=contoso/CN=Users/CN=Alice"),
        middle=("enterprise_issuing", "/DC=test/DC=contoso/CN=contoso-CA2"),
    ),
    "Azure PowerShell": Tool(
        ("powershell_root", "/CN=P2SRootCert"), ("powershell_child", "/CN=P2SChildCert")
    ),
    "MakeCert": Tool(("makecert", "/CN=P2SRootCert"), ("makecert", "/CN=P2SChildCert")),
    "MakeCert, without extensions": Tool(("bare", "/CN=Old Root"), ("bare", "/CN=Old Child")),
}


class Workshop:
    """Makes certificates in a directory."""

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "shapes.cnf").write_text(CONFIGURATION)

    def chain(self, tool: Tool) -> tuple[Forged, Forged]:
        """Root and client certificate."""
        self._make("root", tool.root, tool.bits)
        above = "root"
        if tool.middle:
            self._make("middle", tool.middle, tool.bits, by="root")
            above = "middle"
        self._make("client", tool.client, tool.bits, by=above)
        others = (self._read("middle").der,) if tool.middle else ()
        return self._read("root"), self._read("client").showing(*others)

    def _make(self, name: str, shape: tuple[str, str], bits: int, by: str = "") -> None:
        extensions, subject = shape
        signer = ("-CA", f"{by}.pem", "-CAkey", f"{by}.key") if by else ()
        subprocess.run(
            ["openssl", "req", "-x509", "-config", "shapes.cnf", "-extensions", extensions,
             "-newkey", f"rsa:{bits}", "-sha256", "-nodes", "-days", "365", "-subj", subject,
             "-keyout", f"{name}.key", "-out", f"{name}.pem", *signer],
            cwd=self._place, check=True, capture_output=True,
        )  # fmt: skip

    def _read(self, name: str) -> Forged:
        certificate = x509.load_pem_x509_certificate((self._place / f"{name}.pem").read_bytes())
        key = load_pem_private_key((self._place / f"{name}.key").read_bytes(), None)
        is_root = certificate.subject == certificate.issuer
        subject = certificate.subject.public_bytes()
        return Forged(certificate.public_bytes(Encoding.DER), key, (), subject, is_root)


def test_each_tools_certificates_connect_over_every_protocol(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        workshop = Workshop(tmp_path)
        shown = {}
        for what, tool in TOOLS.items():
            root, shown[what] = workshop.chain(tool)
            bench.credentials[what] = root.credential(what)
        seen: dict[str, dict[str, str]] = {what: {} for what in TOOLS}
        for protocols in OVER:
            await bench.gateway.put(uploading(bench, *TOOLS, protocols=protocols))
            dialling = Dialling(bench)
            for protocol in protocols:
                for what, certificate in shown.items():
                    seen[what][protocol] = await dialling.verdict(protocol, certificate)
        assert seen == {what: dict.fromkeys(ALL, "connected") for what in TOOLS}

    on_a_gateway(tmp_path, test)


@pytest.mark.parametrize("what", TOOLS)
def test_the_shapes_are_the_tools_own(tmp_path: Path, what: str) -> None:
    tool = TOOLS[what]
    root, client = Workshop(tmp_path).chain(tool)
    bits = {one.certificate.public_key().key_size for one in (root, client)}
    assert bits == {tool.bits}
    count = {"MakeCert": 1, "MakeCert, without extensions": 0}.get(what)
    if count is not None:
        assert {len(one.certificate.extensions) for one in (root, client)} == {count}
