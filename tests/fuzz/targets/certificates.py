"""Chains of certificates as a stranger sends them, before the judge.

A step is a certificate: as it is, in another form of the same signature, signed anew by one of the
keys there are, so that what is changed is looked at, or many authorities of one name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from gateway.policy import trust
from tests.fuzz import der
from tests.fuzz.engine import Target
from tests.fuzz.mutations import join, of_steps, split
from tests.fuzz.targets import keys
from tests.fuzz.targets.keys import NOW, Kind

AS_IT_IS, TWIN, MANY = range(3)
SIGNERS: tuple[tuple[Kind, int], ...] = tuple(
    (kind, number) for kind in ("rsa", "ec") for number in (0, 1, 2)
)
"""Keys of the root, the intermediate and the client."""
KINDS = 3 + len(SIGNERS)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256."""


def twin(certificate: bytes) -> bytes:
    """(r, n - s) is a signature where (r, s) is one; anything else stays as it is."""
    nodes = der.read(certificate)
    signature = der.signature_of(nodes)
    if nodes is None or signature is None:
        return certificate
    try:
        r, s = decode_dss_signature(der.bits_of(signature)[1:])
        signature.body = b"\0" + encode_dss_signature(r, ORDER - s)
    except ValueError:
        return certificate
    return der.write(nodes)


def resigned(certificate: bytes, kind: Kind, number: int) -> bytes:
    """What it says, signed by this key."""
    tbs = tbs_of(certificate)
    algorithm, signature = keys.sign(tbs, kind, number)
    bits = der.write([der.Node(der.BIT_STRING, b"\0" + signature)])
    return der.write([der.Node(der.SEQUENCE, tbs + algorithm + bits)])


def tbs_of(certificate: bytes) -> bytes:
    """The bytes that are signed: the first element within, or all of it where there is none."""
    head = der._head(certificate, 0)
    if head is None:
        return certificate
    begin, end = head
    inner = der._head(certificate, begin)
    return certificate[begin : min(end, inner[1])] if inner else certificate[begin:end]


@cache
def many(number: int) -> tuple[bytes, ...]:
    """Authorities of one name and one key: each has issued each."""
    one = keys._issue("x", "ec", number % 3, None, ca=True)
    return tuple(
        resigned(keys.der(one).replace(b"\x07\x10\x20\x30", b"\x07\x10\x20" + bytes((serial,))),
                 "ec", number % 3) for serial in range(24)
    )  # fmt: skip


def chain_of(data: bytes) -> list[bytes]:
    """The certificates of an input."""
    chain: list[bytes] = []
    for kind, content in split(data):
        if kind == MANY:
            chain += many(content[0] if content else 0)
        elif kind == TWIN:
            chain.append(twin(content))
        elif kind < KINDS and kind > MANY:
            chain.append(resigned(content, *SIGNERS[kind - 3]))
        else:
            chain.append(content)
    return chain[:60]


def seeds() -> list[bytes]:
    made = []
    for kind in ("rsa", "ec"):
        alice, bob = keys.der(keys.leaf(kind)), keys.der(keys.leaf(kind, "bob", direct=False))
        above, root = keys.der(keys.intermediate(kind)), keys.der(keys.authority(kind))
        at = 3 if kind == "rsa" else 6
        made += [
            join([(AS_IT_IS, alice)]),
            join([(AS_IT_IS, bob), (AS_IT_IS, above), (AS_IT_IS, root)]),
            join([(TWIN, alice)]),
            join([(at, alice)]),
            join([(at + 1, bob), (at, above)]),
            join([(at + 1, bob), (at, above), (MANY, b"\0")]),
            join([(at + 2, alice), (AS_IT_IS, alice)]),
            join([(AS_IT_IS, bob), *((AS_IT_IS, above),) * 30]),
        ]
    wide = rsa_of(4096 * 4, (1 << 63) + 1)
    return [
        *made,
        join([(AS_IT_IS, many(2)[0]), (MANY, b"\2")]),
        join([(3, wide), (AS_IT_IS, wide)]),
    ]


def rsa_of(bits: int, exponent: int) -> bytes:
    """A self-issued authority whose key nobody has."""
    one = der.read(keys.der(keys.authority("rsa")))
    assert one
    key = rsa.RSAPublicNumbers(exponent, (1 << bits - 1) | 1)
    for siblings, at in der.all_of(one):
        node = siblings[at]
        if node.tag == der.INTEGER and isinstance(node.body, bytes) and len(node.body) == 257:
            siblings[at].body = key.n.to_bytes(bits // 8 + 1)
            siblings[at + 1].body = exponent.to_bytes(9)
    return der.write(one)


@cache
def roots() -> trust.Roots:
    """Uploaded."""
    return trust.Roots([keys.authority(kind).certificate for kind in ("rsa", "ec")])


@cache
def known() -> dict[bytes, str]:
    """What the issuers have signed of clients, and the thumbprints by which these are revoked."""
    return {
        tbs_of(keys.der(one)): trust.thumbprint(one.certificate)
        for kind in ("rsa", "ec")
        for one in (keys.leaf(kind), keys.leaf(kind, "bob", direct=False))
    }


def judged(chain: Sequence[bytes]) -> frozenset[str] | None:
    """The thumbprints by which a good one is looked for among the revoked; None: refused."""
    finding = trust.examine(chain, roots(), NOW)
    assert finding.reason != "fault"
    if finding.reason:
        return None
    assert finding.identity
    return frozenset(finding.identity.thumbprints)


def evades(chain: Sequence[bytes]) -> bool:
    """Whether a certificate that is revoked, or that nobody has issued, is good."""
    found = judged(chain)
    if found is None:
        return False
    tbs = tbs_of(chain[0])
    if tbs in known():
        return known()[tbs] not in found
    return not issued(chain[0], tbs)


def issued(certificate: bytes, tbs: bytes) -> bool:
    """Whether the root's or the intermediate's key has signed it, told by other code than the
    judge's."""
    signature = der.signature_of(der.read(certificate))
    if signature is None:
        return False
    value = der.bits_of(signature)[1:]
    for kind, number in SIGNERS:
        public = keys.key(kind, number).public_key()
        if number == 2:
            continue
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(value, tbs, ec.ECDSA(hashes.SHA256()))
            else:
                public.verify(value, tbs, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            continue
        return True
    return False


def run(data: bytes) -> None:
    assert not evades(chain_of(data))


OF_CHAIN = of_steps(KINDS, content=der.of_der)
TARGETS = (
    Target("certificates", seeds, run,
           ("gateway/policy/trust.py", "gateway/common/public_keys.py"), OF_CHAIN,
           quick=500),
)  # fmt: skip
