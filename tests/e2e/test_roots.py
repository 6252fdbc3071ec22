"""Uploaded roots of every kind at the real gateway: all three protocols judge them alike, and none
disturbs another."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from os import environ
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.common.der import BITS, SEQUENCE, inside, tlv, values
from gateway.common.vocabulary import VpnProtocol
from lab.roles.gateway import GatewayRefusedError
from tests.rigs import forged
from tests.rigs.dialling_all import Dialling
from tests.rigs.forged import KEYS, Forged, authority, sign
from tests.rigs.gateway_bench import Bench, on_a_gateway

OVER: tuple[tuple[VpnProtocol, ...], ...] = (("OpenVPN",), ("IkeV2", "SSTP"))
"""SSTP and OpenVPN exclude each other."""
ALL = [protocol for protocols in OVER for protocol in protocols]
DAY = timedelta(days=1)


def rsa_key(bits: int = 2048) -> Any:
    return rsa.generate_private_key(65537, bits)


def built(
    subject: x509.Name,
    *extensions: forged.Extension,
    key: Any = None,
    serial: int = 1,
    days: tuple[int, int] = (-1, 9),
) -> Forged:
    """A self-signed certificate with just these extensions."""
    key, now = key or KEYS["P-256"](), datetime.now(UTC)
    begin, end = now + days[0] * DAY, now + days[1] * DAY
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), serial, begin, end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return Forged(der, key, (), subject.public_bytes(), is_root=True)


def signed(tbs: bytes, key: Any, digest: Any, algorithm: bytes) -> bytes:
    """TBS signed with RSA."""
    signature = key.sign(tbs, padding.PKCS1v15(), digest)
    return tlv(SEQUENCE, tbs, algorithm, tlv(BITS, b"\0", signature))


def of_version_1() -> Forged:
    plain = built(forged.name("Version 1"), key=rsa_key())
    _, *fields = values(inside(plain.certificate.tbs_certificate_bytes)) or []
    tbs = tlv(SEQUENCE, *fields)
    return replace(plain, der=signed(tbs, plain.key, hashes.SHA256(), forged.RSA_SHA256))


def by_sha1(*extensions: forged.Extension) -> Forged:
    """An old authority's own signature."""
    plain = built(forged.name(f"SHA-1 {len(extensions)}"), *extensions, key=rsa_key())
    old = forged.RSA_SHA256[:-3] + b"\x05\x05\0"
    tbs = plain.certificate.tbs_certificate_bytes.replace(forged.RSA_SHA256, old)
    return replace(plain, der=signed(tbs, plain.key, hashes.SHA1(), old))


def with_serial(serial: bytes) -> Forged:
    """A serial number that RFC 5280 forbids: zero, negative, or longer than 20 octets."""
    plain = built(forged.name(f"Serial {serial.hex()[:8]}"), *authority(), key=rsa_key())
    version, _, *fields = values(inside(plain.certificate.tbs_certificate_bytes)) or []
    tbs = tlv(SEQUENCE, version, tlv(0x02, serial), *fields)
    return replace(plain, der=signed(tbs, plain.key, hashes.SHA256(), forged.RSA_SHA256))


UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0")
SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
LONG = x509.Name(
    [*(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{n:064}") for n in range(90))]
)
MIXED = x509.Name(
    [
        x509.NameAttribute(
            NameOID.COMMON_NAME, "Jörg's /Root=1, \\+\"", x509.name._ASN1Type.BMPString
        ),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ca@contoso.test"),
    ]
)

TAKEN: dict[str, tuple[Callable[[], Forged], str]] = {
    "as Azure's article makes it": (
        lambda: built(forged.name("P2SRootCert"), forged.usage(signs=True), key=rsa_key()),
        "connected",
    ),
    "as MakeCert makes it": (lambda: built(forged.name("MakeCert"), key=rsa_key()), "connected"),
    "of version 1": (of_version_1, "connected"),
    "by SHA-1": (lambda: by_sha1(*authority()), "connected"),
    "as MakeCert makes it, by SHA-1": (by_sha1, "connected"),
    "by RSA-PSS": (lambda: sign("PSS", authority(), key=rsa_key(), pss=True), "connected"),
    "RSA 1024": (lambda: built(forged.name("1024"), *authority(), key=rsa_key(1024)), "connected"),
    "serial number 0": (lambda: with_serial(b"\0"), "connected"),
    "a negative serial number": (lambda: with_serial(b"\xff"), "connected"),
    "a huge serial number": (lambda: with_serial(b"\x7f" * 40), "connected"),
    "a long name": (lambda: built(LONG, *authority()), "connected"),
    "an odd name": (lambda: built(MIXED, *authority()), "connected"),
    "an unknown extension": (
        lambda: built(forged.name("U"), *authority(), (UNKNOWN, False)),
        "connected",
    ),
    "for clients alone": (lambda: built(forged.name("C"), *authority(0, CLIENTS)), "connected"),
    "expired": (lambda: built(forged.name("Old"), *authority(), days=(-9, -1)), "expired"),
    "not yet valid": (
        lambda: built(forged.name("New"), *authority(), days=(1, 9)),
        "not-yet-valid",
    ),
}
REFUSED: dict[str, tuple[Callable[[], Forged], str]] = {
    "a client's": (
        lambda: sign("x", by=sign("Above", authority())),
        "a client certificate, issued",
    ),
    "an intermediate": (
        lambda: sign("Middle", authority(), by=sign("Above", authority())),
        "an intermediate authority, issued by CN=Above",
    ),
    "no authority": (lambda: sign("x"), "says that it is no authority"),
    "for servers": (lambda: built(forged.name("S"), *authority(0, SERVERS)), "no clientAuth"),
    "unknown and critical": (
        lambda: built(forged.name("U"), *authority(), (UNKNOWN, True)),
        "critical extension",
    ),
    "without a name": (lambda: built(x509.Name([]), *authority()), "its subject is empty"),
}


def test_all_protocols_judge_a_root_alike(tmp_path: Path) -> None:
    """All at once: none disturbs another."""

    async def test(bench: Bench) -> None:
        shown = {}
        for what, (make, _) in TAKEN.items():
            root = make()
            bench.credentials[what] = root.credential(what)
            shown[what] = sign("client", by=root)
        seen: dict[str, dict[str, str]] = {what: {} for what in TAKEN}
        for protocols in OVER:
            await bench.gateway.put(uploading(bench, *TAKEN, protocols=protocols))
            dialling = Dialling(bench)
            for protocol in protocols:
                for what, certificate in shown.items():
                    seen[what][protocol] = await dialling.verdict(protocol, certificate)
        assert seen == {what: dict.fromkeys(ALL, told) for what, (_, told) in TAKEN.items()}

    on_a_gateway(tmp_path, test)


def uploading(bench: Bench, *roots: str, protocols: tuple[str, ...]) -> dict[str, Any]:
    """A document with these roots, whose names are made good for Azure."""
    document = bench.document(*protocols, roots=roots)
    entries = document["properties"]["vpnClientConfiguration"]["vpnClientRootCertificates"]
    for number, entry in enumerate(entries):
        entry["name"] = f"root{number}"
    return document


def test_a_root_below_which_nobody_could_connect_is_refused(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        for what, (make, words) in REFUSED.items():
            bench.credentials[what] = make().credential(what)
            with pytest.raises(GatewayRefusedError, match=words):
                await bench.gateway.put(uploading(bench, what, protocols=("IkeV2",)))

    on_a_gateway(tmp_path, test)


def renewed(subject: str, *, identified: bool) -> tuple[Forged, Forged]:
    """Two roots of one name, as authorities renew themselves, or as MakeCert makes them."""
    made = []
    for _ in range(2):
        key = KEYS["P-256"]()
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        extensions = authority(None, identifier) if identified else authority()
        made.append(built(forged.name(subject), *extensions, key=key))
    return made[0], made[1]


def below(root: Forged, subject: str, *, identified: bool = True) -> Forged:
    """A client that may name its issuer's key."""
    public = root.key.public_key()
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False
    return sign(subject, (*forged.CLIENT, identifier) if identified else forged.CLIENT, by=root)


@pytest.mark.parametrize("identified", [True, False], ids=["key identifiers", "none"])
@pytest.mark.parametrize("protocols", OVER)
def test_of_two_roots_of_one_name_each_serves_its_users(
    tmp_path: Path, protocols: tuple[VpnProtocol, ...], *, identified: bool
) -> None:
    """The same root twice, and 20 roots in all; taking one away ends the sessions of its users."""

    async def test(bench: Bench) -> None:
        old, new = renewed("Corp Root", identified=identified)
        client = partial(below, identified=identified)
        others = {f"other {n}": sign(f"Other {n}", authority()) for n in range(17)}
        roots = {"old": old, "new": new, **others}
        for name, root in roots.items():
            bench.credentials[name] = root.credential(name)
        await bench.gateway.put(uploading(bench, "old", *roots, protocols=protocols))
        dialling = Dialling(bench)
        for protocol in protocols:
            await bench.gateway.put(uploading(bench, "old", *roots, protocols=protocols))
            alice = await dialling.dial(protocol, client(old, "alice"), "pc1")
            bob = await dialling.dial(protocol, client(new, "bob"), "pc2")
            assert alice
            assert bob
            assert await dialling.verdict(protocol, client(others["other 16"], "x"), "pc3") == (
                "connected"
            )
            await bench.gateway.put(uploading(bench, "new", *others, protocols=protocols))
            await dialling.sessions_of(alice.address, 0)
            assert await bob.alive()
            assert await dialling.verdict(protocol, client(old, "carol"), "pc3") == "untrusted"
            await bob.leave()
            await dialling.sessions_of(bob.address, 0)

    on_a_gateway(tmp_path, test)


def by_sha1_below(root: Forged) -> Forged:
    """A client of an old authority, over RSA."""
    plain = sign("client", by=root, key=rsa_key())
    old = forged.RSA_SHA256[:-3] + b"\x05\x05\0"
    tbs = plain.certificate.tbs_certificate_bytes.replace(forged.RSA_SHA256, old)
    return replace(plain, der=signed(tbs, root.key, hashes.SHA1(), old))


ELSEWHERE = x509.NameConstraints([x509.DirectoryName(forged.name("elsewhere"))], None), True


def middle(root: Forged, *extensions: forged.Extension) -> Forged:
    """An intermediate authority with these extensions."""
    return sign("Middle", extensions, by=root, key=rsa_key())


FLAWS: dict[str, tuple[Callable[[Forged], Forged], str]] = {
    "SHA-1": (by_sha1_below, "sha1WithRSA|too weak"),
    "name constraints": (
        lambda root: sign("client", by=middle(root, *authority(), ELSEWHERE)),
        "permitted subtree violation",
    ),
    "no authority": (
        lambda root: sign("client", by=middle(root, *forged.CLIENT)),
        "invalid (non-)?CA certificate",
    ),
    "the intermediate is missing": (
        lambda root: sign("client", by=middle(root, *authority())).showing(),
        "issued by CN=Middle, which is no uploaded root and was not sent|local issuer",
    ),
    "another root": (
        lambda _: sign("client", by=sign("Elsewhere", authority())),
        "issued by CN=Elsewhere, which is no uploaded root and was not sent|local issuer",
    ),
    "a namesake of the root": (
        lambda _: sign("client", by=sign("Flaws Root", authority(), key=rsa_key())),
        "certificate signature failure",
    ),
}
"""Of a client's chain: how it is made, and what is said of it."""


def test_the_true_flaw_of_a_chain_is_told_over_every_protocol(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        root = sign("Flaws Root", authority(), key=rsa_key())
        bench.credentials["flaws"] = root.credential("flaws")
        shown = {what: make(root) for what, (make, _) in FLAWS.items()}
        wrong = []
        for protocols in OVER:
            await bench.gateway.put(uploading(bench, "flaws", protocols=protocols))
            dialling = Dialling(bench)
            for protocol in protocols:
                for what, certificate in shown.items():
                    if (protocol, what) == ("OpenVPN", "SHA-1"):
                        continue  # the client's own OpenSSL does not show it
                    told = await dialling.verdict(protocol, certificate)
                    said = (await bench.records("refused"))[-1]["message"]
                    if told != "untrusted" or not re.search(FLAWS[what][1], said):
                        wrong.append((protocol, what, told, said))
        assert wrong == []

    on_a_gateway(tmp_path, test)


LAB = """
name: {name}
story: Roots of one's own.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app, serves: [http]}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [IkeV2, {second}]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: article, properties: {{publicCertData: "{data}"}}}}
          - {{name: corp, properties: {{publicCertData: "${{corp.publicCertData}}"}}}}
pki:
  corp: {{certificate: corp.pem}}
access: {{home: {{}}}}
clients:
  alice:
    {{behind: home, {os}, certificate: {{certificate: alice.pem, key: alice.key}}}}
expect:
  - {{connects: alice, over: IkeV2}}
  - {{disconnect: alice}}
  - {{connects: alice, over: {second}}}
  - {{reaches: alice, host: app1, port: 80}}
"""


@pytest.mark.parametrize(
    ("second", "os"),
    [
        ("OpenVPN", "os: linux"),
        ("SSTP", "os: windows10, sstpClient: python"),
    ],
)
def test_a_lab_takes_the_articles_root_and_one_without_its_key(
    tmp_path: Path, second: str, os: str
) -> None:
    """The data as PowerShell joins the lines of a file."""
    root = built(forged.name("P2SRootCert"), forged.usage(signs=True), key=rsa_key())
    alice = sign("P2SChildCert", by=root, key=rsa_key())
    data = " ".join(textwrap.wrap(base64.b64encode(root.der).decode(), 64))
    corp = built(forged.name("Corp"), *authority())
    (tmp_path / "corp.pem").write_bytes(forged.pem(corp.der))
    (tmp_path / "alice.pem").write_bytes(forged.pem(alice.der))
    (tmp_path / "alice.key").write_bytes(alice.key_pem)
    file = tmp_path / "lab.yaml"
    file.write_text(LAB.format(name=f"roots-{second.lower()}", second=second, os=os, data=data))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab.cli.main", "verify", str(file)],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
