"""IKE and ESP proposals of clients and VPN devices, in strongSwan's keywords.

Source: strongSwan 5.9.8, proposal_keywords_static.txt, of which these are what the openssl plugin
carries out, and proposal.c for what a proposal must have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from lab.choices import did_you_mean

_SIZES = (128, 192, 256)
_HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
_WORDS: dict[str, tuple[str, ...]] = {
    "cipher": (
        "des", "3des", *(f"{name}{size}" for name in ("aes", "camellia") for size in _SIZES),
    ),
    "null": ("null",),
    "aead": (
        *(f"aes{size}{mode}{icv}" for size in _SIZES for mode in ("gcm", "ccm")
          for icv in (8, 12, 16)),
        "chacha20poly1305",
    ),
    "integrity": _HASHES,
    "prf": tuple(f"prf{name}" for name in _HASHES),
    "group": (
        *(f"modp{size}" for size in (768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)),
        "modp1024s160", "modp2048s224", "modp2048s256",
        *(f"ecp{size}" for size in (192, 224, 256, 384, 521)),
        *(f"ecp{size}bp" for size in (224, 256, 384, 512)),
        "curve25519", "x25519", "curve448", "x448",
    ),
    "esn": ("esn", "noesn"),
}  # fmt: skip
KINDS = {word: kind for kind, words in _WORDS.items() for word in words}
"""Keyword to what it is."""
_ALLOWED = {
    "IKE": frozenset(_WORDS) - {"null", "esn"},
    "ESP": frozenset(_WORDS) - {"prf"},
}
_EXAMPLES = {"IKE": "aes256-sha256-modp2048", "ESP": "aes256-sha256"}


def _shortcoming(of: Literal["IKE", "ESP"], kinds: frozenset[str]) -> str:
    """Why charon would not load, or silently change, a proposal of these kinds; empty: nothing."""
    plain = bool(kinds & {"cipher", "null"})
    combined = "aead" in kinds
    if plain and combined:
        return "it has a cipher that protects integrity itself beside one that does not"
    if not plain and not combined:
        return "it has no encryption algorithm"
    if plain and "integrity" not in kinds:
        return "it has no integrity algorithm"
    if of == "ESP":
        return "its cipher protects integrity itself" if combined and "integrity" in kinds else ""
    if not kinds & {"prf", "integrity"}:
        return "it has no pseudo-random function, such as prfsha384"
    return "" if "group" in kinds else "it has no Diffie-Hellman group"


def _parse(of: Literal["IKE", "ESP"]) -> Callable[[Any], str]:
    allowed = [word for word, kind in KINDS.items() if kind in _ALLOWED[of]]

    def parse(value: Any) -> str:
        example = f"write it like {_EXAMPLES[of]}"
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not text; {example}")  # noqa: TRY004 (pydantic)
        words = value.split("-")
        for number, word in enumerate(words):
            if word in words[:number]:
                raise ValueError(f"{value!r} names {word!r} twice; name it once")
            if word not in allowed:
                raise ValueError(
                    f"{value!r}: {word!r} is not one of strongSwan's keywords for {of}; "
                    f"{did_you_mean(word, allowed)}"
                )
        wrong = _shortcoming(of, frozenset(KINDS[word] for word in words))
        if wrong:
            raise ValueError(f"{value!r} is not a proposal for {of}: {wrong}; {example}")
        return value

    return parse


def _proposals(of: Literal["IKE", "ESP"]) -> tuple[Any, ...]:
    return (
        BeforeValidator(_parse(of)),
        WithJsonSchema({"type": "string", "examples": [_EXAMPLES[of]]}),
    )


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    """Checked after the entries, so that a wrong one is not reported as missing, too."""
    if not value:
        raise ValueError("an empty list proposes nothing; name a proposal, or leave the key out")
    return value


MOST = 100
"""A proposal's number has eight bits, and an IKE_SA_INIT must fit into a datagram."""
_LIST = (Field(max_length=MOST, json_schema_extra={"minItems": 1}), AfterValidator(_some))
_Ike = Annotated[tuple[Annotated[str, *_proposals("IKE")], ...], *_LIST]
_Esp = Annotated[tuple[Annotated[str, *_proposals("ESP")], ...], *_LIST]


class IkeOffer(BaseModel):
    """What a client or a VPN device proposes, in place of what it would by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    proposals: _Ike | None = None
    """For the IKE SA, first choice first, in strongSwan's keywords, such as
    [aes256-sha256-modp2048, aes256gcm16-prfsha384-ecp384]."""
    esp: _Esp | None = None
    """For the IPsec SA, such as [aes256gcm16, aes256-sha256-modp2048]; with a group: perfect
    forward secrecy when keys are renewed."""

    @model_validator(mode="after")
    def _says_something(self) -> IkeOffer:
        if self.proposals is None and self.esp is None:
            raise ValueError("neither `proposals` nor `esp` given; give one, or leave `ike` out")
        return self
