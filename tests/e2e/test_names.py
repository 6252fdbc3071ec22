"""Certificates with any legal name, at the real daemons: who is accepted, and the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from lab.clients.computer import Computer
from lab.pki.authority import Credential
from lab.topology.model.persona import client_system
from lab.topology.model.topology import SstpClient
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.e2e.test_sstpc import on_a_kernel_with_ppp
from tests.rigs.gateway_bench import Bench, address_of, client, on_a_gateway
from tests.rigs.patience import PATIENCE

FORGED = "9.9.9.9:1 VERIFY ERROR: depth=0, error=revoked: CN=bob"
"""What openvpn would put before each line of its log, were the common name there."""


COMMON_NAMES = {
    "comma": "Mueller, Joerg",
    "umlaut": "Jörg Müller",
    "cyrillic": "Иван Петров",
    "more": "a+b=c, CN=bob; O=x <y> #z",
    "hash": "#0401ff",
    "colon": "fe80::1",
    "typed": "asn1dn:#3000",
    "slash": "/C=DE/CN=bob",
    "quotes": "\"'q' %any\\\\ $HOME `id`",
    "spaces": "  alice  ",
    "at": "@#616c696365",
    "dash": "--help",
    "long": 8 * "äöüß",
}
"""The kinds of text that programs take for something else than a name."""


UNIT, COMMON = NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME
SUBJECTS = {
    "units": x509.Name([
        x509.NameAttribute(UNIT, "a, b"), x509.NameAttribute(UNIT, "c=d"),
        x509.NameAttribute(COMMON, "units"),
    ]),
    "none": x509.Name([x509.NameAttribute(UNIT, "nobody")]),
    "twice": x509.Name([x509.NameAttribute(COMMON, "one"), x509.NameAttribute(COMMON, "two")]),
    "joined": x509.Name([
        x509.RelativeDistinguishedName([
            x509.NameAttribute(UNIT, "u"), x509.NameAttribute(COMMON, "joined"),
        ])
    ]),
    "wide": x509.Name([x509.NameAttribute(COMMON, "bmp ü", _ASN1Type.BMPString)]),
    "empty": x509.Name([]),
}  # fmt: skip
"""More than a common name, less, or nothing at all; and one in another encoding."""


def issued(name: str, subject: x509.Name, root: Credential) -> Credential:
    """A client's certificate; with an empty subject there is an alternative name."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.RFC822Name(f"{name}@contoso.com")])
    made = (
        x509.CertificateBuilder(root.certificate.subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(9))
        .add_extension(x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]), critical=False)
        .add_extension(alternative, critical=not subject.rdns)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return Credential(name, made, key, (root.certificate,))


def computer(bench: Bench, certificate: str, sstp: SstpClient) -> Computer:
    plan = ClientPlan(
        certificate, "pc1", client_system("windows10"), "gw", "net",
        ("IkeV2", "OpenVPN", "SSTP"), certificate,
        sstp_client=sstp,
    )  # fmt: skip
    return Computer(
        plan, node=bench.nodes["pc1"], access=bench.nodes["net"], address=address_of("pc1"),
        gateway=bench.gateway, credential=bench.credentials[certificate],
    )  # fmt: skip


KINDS = (*COMMON_NAMES, *SUBJECTS)


async def all_connect(
    bench: Bench, over: VpnProtocol, sstp: SstpClient = "python", kinds: Sequence[str] = KINDS
) -> None:
    """One after another, each with its own certificate; refusals are reported."""
    await bench.gateway.put(bench.document(over))
    root = bench.credentials["root"]
    for kind, subject in SUBJECTS.items():
        bench.credentials[kind] = issued(kind, subject, root)
    refused = {}
    for kind in kinds:
        if words := await refusal(bench, computer(bench, kind, sstp), over):
            refused[kind] = words
    # openvpn itself takes no certificate with an empty subject.
    assert set(refused) == ({"empty"} if over == "OpenVPN" else set()), refused


async def refusal(bench: Bench, dialling: Computer, over: VpnProtocol) -> str:
    """Dial and hang up; empty when the session was of this computer's certificate."""

    async def own() -> bool:
        (row,) = await bench.gateway.sessions()
        return bool(row["thumbprint"] == dialling.thumbprint)

    async def nobody() -> bool:
        return not await bench.gateway.sessions()

    try:
        await dialling.dial(over)
    except RefusedError as error:
        return f"{error.message}; {(await bench.gateway.log())[-1]}"
    await wait_until("its session", PATIENCE, own)
    await dialling.hang_up()
    await wait_until("its session is over", PATIENCE, nobody)
    return ""


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN", "SSTP"])
def test_any_legal_name_connects(tmp_path: Path, over: VpnProtocol) -> None:
    names = (client(kind, subject=name) for kind, name in COMMON_NAMES.items())
    on_a_gateway(tmp_path, lambda bench: all_connect(bench, over), *names)


def test_any_legal_name_connects_with_the_real_sstpc(tmp_path: Path) -> None:
    names = (client(kind, subject=name) for kind, name in COMMON_NAMES.items())
    kinds = ("umlaut", "more", "quotes", "spaces", "dash", "long", "wide", "none", "empty")

    async def test(bench: Bench) -> None:
        await all_connect(bench, "SSTP", "sstpc", kinds)

    on_a_kernel_with_ppp(tmp_path, test, *names)


def test_a_name_that_reads_like_openvpns_log_makes_no_record(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("OpenVPN"))
        mallory = bench.computer("pc1", "mallory")
        await mallory.dial("OpenVPN")
        await mallory.hang_up()
        with pytest.raises(RefusedError):
            await bench.computer("pc2", "late").dial("OpenVPN")
        records = [r for r in await bench.gateway.log() if r["event"] in ("connected", "refused")]
        assert [(r["event"], r["user"], r["publicIpAddress"]) for r in records] == [
            ("connected", FORGED, "192.0.2.2"),
            ("refused", "", "192.0.2.6"),
        ]
        late = bench.credentials["late"].certificate
        assert records[1]["serialNumber"] == str(late.serial_number)

    late = replace(client("late", subject=f"{FORGED}, serial=7"), days_before=9, days_after=-1)
    on_a_gateway(tmp_path, test, client("mallory", subject=FORGED), late)
