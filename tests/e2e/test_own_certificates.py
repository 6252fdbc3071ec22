"""Certificates in the shapes that people have, as files, with the real programs: one verdict over
all protocols."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.clients.computer import Computer
from lab.pki.authority import Credential, issue
from lab.topology.model.persona import client_system
from lab.topology.model.topology import SstpClient
from lab.topology.model.vocabulary import Reason, VpnProtocol
from lab.topology.planning.plan import CertificatePlan, ClientPlan
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.e2e.test_sstpc import on_a_kernel_with_ppp
from tests.rigs.gateway_bench import Bench, address_of, on_a_gateway
from tests.rigs.patience import PATIENCE

CLIENT = ("-addext", "extendedKeyUsage=clientAuth")
AUTHORITY = ("-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=keyCertSign")
P256 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
P521 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521")
TEMPLATE = "extendedKeyUsage=1.3.6.1.4.1.311.10.3.4,emailProtection,clientAuth"
PRINCIPAL = "subjectAltName=critical,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@contoso.com"

SHAPES: dict[str, tuple[Reason | None, str, tuple[str, ...]]] = {
    "no-usage": (None, "/CN=no-usage", ()),
    "template": (None, "/DC=test/DC=corp/CN=Müller\\, Jörg/emailAddress=j@corp.test",
                 ("-addext", TEMPLATE)),
    "any-usage": ("no-client-auth", "/CN=any", ("-addext", "extendedKeyUsage=2.5.29.37.0")),
    "server": ("no-client-auth", "/CN=server", ("-addext", "extendedKeyUsage=serverAuth")),
    "encipherment": ("no-client-auth", "/CN=encipherment",
                     (*CLIENT, "-addext", "keyUsage=critical,keyEncipherment")),
    "rsa-1024": (None, "/CN=rsa-1024", (*CLIENT, "-newkey", "rsa:1024")),
    "sha-1": ("untrusted", "/CN=sha-1", (*CLIENT, "-sha1")),
    "md5": ("untrusted", "/CN=md5", (*CLIENT, "-md5")),
    "p-256": (None, "/CN=p-256", (*CLIENT, *P256)),
    "p-521": (None, "/CN=p-521", (*CLIENT, *P521)),
    "ed25519": (None, "/CN=ed25519", (*CLIENT, "-newkey", "ed25519")),
    "long": (None, "".join(f"/OU={letter * 64}" for letter in "abcdefgh") + "/CN=" + "ü" * 64,
             CLIENT),
    "control": (None, "/CN=a\nb\x1b[31m>LOG:1,I,x", CLIENT),
    "chain": (None, "/CN=chain", CLIENT),
    "principal": (None, "/", (*CLIENT, "-addext", PRINCIPAL)),
}  # fmt: skip
"""Reason of the refusal, subject, and what `openssl req` is told. All are of a root's; `chain` is
of an authority on an elliptic curve, below one on RSA, below the root."""


def made(place: Path, root: Credential) -> dict[str, Credential]:
    """All of them, exported as .pfx by openssl and read as a lab does."""
    (place / "root.pem").write_bytes(root.certificate_pem)
    (place / "root.key").write_bytes(root.key_pem)
    (place / "empty.cnf").write_text("[req]\ndistinguished_name = dn\nutf8 = yes\n[dn]\n")
    (place / "password").write_text("Pässwörd ' \"\n")

    def openssl(*argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=place, check=True, capture_output=True)

    def sign(name: str, subject: str, by: str, *options: str) -> None:
        key = () if "-newkey" in options else ("-newkey", "rsa:2048")
        openssl(
            *("req", "-x509", "-config", "empty.cnf", "-utf8", "-CA", f"{by}.pem"),
            *("-CAkey", f"{by}.key", "-nodes", "-days", "9", "-subj", subject),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem", *key, *options),
        )

    sign("policy", "/O=Contoso/CN=Policy", "root", *AUTHORITY)
    sign("issuing", "/O=Contoso/CN=Issuing", "policy", *AUTHORITY, *P256)
    above = [(place / f"{name}.pem").read_bytes() for name in ("issuing", "policy")]
    (place / "above.pem").write_bytes(b"".join(above))
    for name, (_, subject, options) in SHAPES.items():
        sign(name, subject, "issuing" if name == "chain" else "root", *options)
        openssl(
            *("pkcs12", "-export", "-in", f"{name}.pem", "-inkey", f"{name}.key"),
            *("-out", f"{name}.pfx", "-passout", "file:password"),
            *(("-certfile", "above.pem") if name == "chain" else ()),
        )
    return issue([
        CertificatePlan(
            name, "", None, "client", certificate_file=str(place / f"{name}.pfx"),
            password_file=str(place / "password"),
        )
        for name in SHAPES
    ])  # fmt: skip


async def verdicts(
    bench: Bench, place: Path, over: VpnProtocol, sstp: SstpClient
) -> dict[str, Reason | None]:
    """One after another; the gateway's reason, or the client's if the gateway has none."""
    await bench.gateway.put(bench.document(over))
    found: dict[str, Reason | None] = {}
    for name, credential in made(place, bench.credentials["root"]).items():
        plan = ClientPlan(
            name, "pc1", client_system("windows10"), "gw", "net", (over,), name, sstp_client=sstp
        )
        computer = Computer(
            plan, node=bench.nodes["pc1"], access=bench.nodes["net"], address=address_of("pc1"),
            gateway=bench.gateway,
            credential=credential,
        )  # fmt: skip
        found[name] = await verdict(bench, computer, over)
    return found


async def verdict(bench: Bench, computer: Computer, over: VpnProtocol) -> Reason | None:
    known = len(await bench.records("refused"))

    async def nobody() -> bool:
        return not await bench.gateway.sessions()

    try:
        await computer.dial(over)
    except RefusedError as error:
        records = (await bench.records("refused"))[known:]
        assert all(record["message"].isprintable() for record in records)
        reason: Reason = records[-1]["reason"] if records else error.reason
        return reason
    (row,) = await bench.gateway.sessions()
    assert row["thumbprint"] == computer.thumbprint
    await computer.hang_up()
    await wait_until("its session is over", PATIENCE, nobody)
    return None


WANTED = {name: reason for name, (reason, _, _) in SHAPES.items()}


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN", "SSTP"])
def test_one_certificate_has_one_verdict(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        # openvpn itself takes no certificate with an empty subject.
        wanted = WANTED | ({"principal": "refused"} if over == "OpenVPN" else {})
        assert await verdicts(bench, tmp_path, over, "python") == wanted

    on_a_gateway(tmp_path, test)


def test_one_certificate_has_one_verdict_with_the_real_sstpc(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        assert await verdicts(bench, tmp_path, "SSTP", "sstpc") == WANTED

    on_a_kernel_with_ppp(tmp_path, test)
