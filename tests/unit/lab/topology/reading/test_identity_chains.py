"""Who has issued whom, in the user's own files: a signature decides, never a name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.topology.reading.identities import Files, Flaw, Identity, read_identity

RSA = ("-newkey", "rsa:2048")
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
AUTHORITY = ("-addext", "basicConstraints=critical,CA:true")


def sign(place: Path, name: str, subject: str, *options: str, by: str = "") -> None:
    argv = [
        *("openssl", "req", "-x509", "-nodes", "-days", "9", "-subj", f"/CN={subject}", *options),
        *("-keyout", f"{name}.key", "-out", f"{name}.pem"),
        *(("-CA", f"{by}.pem", "-CAkey", f"{by}.key") if by else ()),
    ]
    subprocess.run(argv, cwd=place, check=True, capture_output=True)


def read(place: Path, *names: str, key: str | None = None) -> tuple[Identity | None, list[Flaw]]:
    (place / "all.pem").write_bytes(b"".join((place / f"{n}.pem").read_bytes() for n in names))
    files = Files(place, "all.pem", None if key is None else f"{key}.key")
    return read_identity(files, needs_key=key is not None)


@pytest.mark.parametrize(
    ("kind", "digest"),
    [(RSA, "-sha1"), (RSA, "-md5"), (RSA, "-sha256"), (CURVE, "-sha1"), (CURVE, "-sha256")],
)
def test_an_issuer_goes_along_whatever_it_signs_with(
    tmp_path: Path, kind: tuple[str, ...], digest: str
) -> None:
    sign(tmp_path, "root", "root", *kind, *AUTHORITY)
    sign(tmp_path, "alice", "alice", *RSA, digest, by="root")
    identity, flaws = read(tmp_path, "alice", "root", key="alice")
    assert identity, flaws
    assert [one.subject.rfc4514_string() for one in identity.issuers] == ["CN=root"]


@pytest.mark.parametrize("other", [RSA, CURVE], ids=["same kind of key", "other kind of key"])
@pytest.mark.parametrize("digest", ["-sha1", "-md5", "-sha256"])
def test_a_name_alone_makes_no_issuer(tmp_path: Path, other: tuple[str, ...], digest: str) -> None:
    sign(tmp_path, "root", "root", *RSA, *AUTHORITY)
    sign(tmp_path, "namesake", "root", *other, *AUTHORITY)
    sign(tmp_path, "alice", "alice", *RSA, digest, by="root")
    identity, [flaw] = read(tmp_path, "alice", "namesake", key="alice")
    assert identity is None
    assert "not in the chain of CN=alice: CN=root" in flaw.message


def test_what_cannot_be_checked_makes_no_issuer(tmp_path: Path) -> None:
    """RIPEMD-160 is among what nothing here can check."""
    sign(tmp_path, "root", "root", *RSA, *AUTHORITY)
    sign(tmp_path, "alice", "alice", *RSA, "-ripemd160", by="root")
    identity, [flaw] = read(tmp_path, "alice", "root", key="alice")
    assert identity is None
    assert "not in the chain of CN=alice: CN=root" in flaw.message


def test_nobody_makes_another_root_by_its_name(tmp_path: Path) -> None:
    """Of an authority's certificates the lowest is uploaded: one that only claims to be below the
    root is not."""
    sign(tmp_path, "root", "root", *RSA, *AUTHORITY)
    sign(tmp_path, "namesake", "root", *CURVE, *AUTHORITY)
    sign(tmp_path, "below", "below", *RSA, *AUTHORITY, by="namesake")
    identity, [flaw] = read(tmp_path, "root", "below")
    assert identity is None
    assert "not in the chain of CN=root: CN=below" in flaw.message


def test_below_an_authority_is_whom_its_key_has_signed(tmp_path: Path) -> None:
    sign(tmp_path, "root", "root", *RSA, *AUTHORITY)
    sign(tmp_path, "namesake", "root", *RSA, *AUTHORITY)
    sign(tmp_path, "issuing", "issuing", *RSA, *AUTHORITY, by="root")
    sign(tmp_path, "alice", "alice", *RSA, by="issuing")
    root, namesake, issuing, whole = (
        read(tmp_path, *names)[0]
        for names in (["root"], ["namesake"], ["issuing"], ["alice", "issuing", "root"])
    )
    alice, _ = read(tmp_path, "alice", key="alice")
    assert root
    assert namesake
    assert issuing
    assert whole
    assert alice
    assert all((whole.is_below(root), whole.is_below(issuing), issuing.is_below(root)))
    assert alice.is_below(issuing)
    assert not whole.is_below(namesake)
    assert not alice.is_below(root), "what is between them is in no file"
