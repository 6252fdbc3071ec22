"""What a user has given in place of a certificate: recognised by its first bytes and its shape.

A person who has pasted the wrong thing sees nothing wrong with it. So it is said what the content
is, layer by layer ("Base64 of PEM text of a certificate"), and which commands turn it into what is
wanted. The content itself is never repeated, because it may be a private key. Pure.
"""

from __future__ import annotations

import base64
import re
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.common.der import span, values
from radius.printable import is_printable

# RFC 5280 4.1.2.2 has us be prepared for serial numbers that are negative or zero. cryptography
# reads them and warns, which a confined worker could not even print.
warnings.filterwarnings("ignore", "Parsed a serial number which wasn't positive", UserWarning)

MOST = 200_000
"""Maximum number of bytes that are looked at; a certificate has a few thousand."""
_MOST_LAYERS = 6

WANTED_DATA = ("openssl x509 -outform DER", "base64 -w0")
"""The end of a pipe: from a PEM certificate to Azure's `publicCertData`."""
WANTED_FILE = ("openssl x509",)
"""The end of a pipe: a PEM certificate alone."""


@dataclass(frozen=True)
class Form:
    """What the content is."""

    what: str
    commands: tuple[str, ...] = ()
    """Filters that turn it into a PEM certificate, in order."""
    advice: str = ""
    """What to do first, if the certificate is not in it."""

    def remedy(self, wanted: tuple[str, ...], file: str = "FILE") -> str:
        """The command that makes `wanted` of `file`, behind the advice if there is one."""
        pipe = " | ".join((*self.commands, *wanted)).replace(f"{_DER} | openssl x509", _DER)
        first, bar, further = pipe.partition(" | ")
        command = f"{first} < {file}{bar}{further}"
        return f"{self.advice}: {command}" if self.advice else command


@dataclass(frozen=True)
class _Layer:
    """An encoding around something else: its name, the inside, and the filter that decodes it."""

    name: str
    inside: bytes
    command: str


def what_is(content: bytes) -> Form:
    """Recognise any content; it says "something unknown" of what it does not know."""
    names: list[str] = []
    commands: list[str] = []
    if len(content) > MOST:
        return Form(f"{len(content)} bytes long", advice=_GIVE_ONE)
    for _ in range(_MOST_LAYERS):
        layer = None if _magic(content) else _first(_OUTER, content)
        if layer is None and (core := _core(content)):
            whole = " of ".join((*names, core.what))
            commands = [] if core.advice else commands
            return Form(whole, (*commands, *core.commands), core.advice)
        layer = layer or _first(_INNER, content)
        if layer is None:
            break
        names.append(layer.name)
        commands.append(layer.command)
        content = layer.inside
    return Form(" of ".join((*names, _unknown(content))), advice=_GIVE_ONE)


def _first(looks: tuple[_Look, ...], content: bytes) -> _Layer | None:
    return next((made for look in looks if (made := look(content)) is not None), None)


def der_of(data: str) -> bytes | None:
    """The bytes of a `publicCertData`; None if it is not Base64 on one line.

    Spaces are taken, because PowerShell joins an array of lines with them, and so is Base64
    without its padding.
    """
    text = data.replace(" ", "")
    if len(data) > MOST or not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text):
        return None
    text = text.rstrip("=")
    return None if len(text) % 4 == 1 else base64.b64decode(text + "=" * (-len(text) % 4))


def _odd_character(text: str) -> str:
    """The first character that Base64 does not have, with its place; empty if there is none.

    Printable ones are shown, others named.
    """
    found = re.search(r"[^A-Za-z0-9+/= \t\r\n]", text)
    if not found:
        return ""
    character = found[0]
    return f"{_named(character)} at character {found.start() + 1}"


def invisible_character(text: str) -> str:
    """The first character that cannot be seen, by name, with its place; empty if there is none."""
    for place, character in enumerate(text, 1):
        if _unseen(character):
            return f"{_named(character)} at character {place}"
    return ""


def _named(character: str) -> str:
    """Its code point and name, and itself if it can be seen."""
    name = "BYTE ORDER MARK" if character == "\ufeff" else unicodedata.name(character, "control")
    shown = f"{character!r} " if is_printable(character) and not character.isspace() else ""
    return f"{shown}U+{ord(character):04X} {name}"


_DER = "openssl x509 -inform DER"
_Look = Callable[[bytes], "_Layer | None"]
_GIVE_ONE = "give the certificate itself"

# ------------------------------------------------------------------------------------- encodings


def _utf16(content: bytes) -> _Layer | None:
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    little = len(content) > 3 and content[1] == content[3] == 0 != content[0]
    big = len(content) > 3 and content[0] == content[2] == 0 != content[1]
    if not (marked or little or big):
        return None
    codec = "UTF-16" if marked else "UTF-16LE" if little else "UTF-16BE"
    text = content.decode(codec, "replace")
    return _Layer("UTF-16 text", text.encode(), f"iconv -f {codec} -t UTF-8")


def _latin_1(content: bytes) -> _Layer | None:
    """DER whose bytes became characters: 0x30 0x82 as "0" and U+0082."""
    if not re.match(rb"0\xc2[\x80-\x84]", content):
        return None
    try:
        inside = content.decode().encode("latin-1")
    except UnicodeError:
        return None
    return _Layer("binary data read as text", inside, "iconv -f UTF-8 -t ISO-8859-1")


def _invisible(content: bytes) -> _Layer | None:
    """Characters that nobody sees, such as a byte order mark or a zero-width space."""
    text = _text(content)
    if text is None or not (first := invisible_character(text)):
        return None
    left = "".join(one for one in text if not _unseen(one))
    command = r"LC_ALL=C tr -cd '\11\12\15\40-\176'"
    return _Layer(f"text (with the invisible {first})", left.encode(), command)


def _unseen(character: str) -> bool:
    kind = unicodedata.category(character)
    return character not in "\t\r\n " and kind in {"Cf", "Cc", "Zs", "Zl", "Zp"}


def _data_url(content: bytes) -> _Layer | None:
    found = re.match(rb"\s*data:[^,]{0,200};base64,", content)
    return (
        _Layer("a data: URL", content[found.end() :], "sed 's/^ *data:[^,]*,//'") if found else None
    )


def _quoted(content: bytes) -> _Layer | None:
    found = re.fullmatch(rb"\s*(['\"])([^'\"]*)\1[;,\s]*", content)
    return _Layer("text in quotes", found[2], r"""tr -d "'\";," """.strip()) if found else None


def _escaped(content: bytes) -> _Layer | None:
    if not re.search(rb"(-----|[A-Za-z0-9+/=]{60})(\\r)?\\n", content):
        return None
    inside = content.replace(rb"\r", b"").replace(rb"\n", b"\n")
    command = r"sed 's/\\r//g; s/\\n/\n/g'"
    return _Layer("text (with line breaks written as \\n)", inside, command)


def _percent(content: bytes) -> _Layer | None:
    if not re.search(rb"%(2B|2F|3D|0A|0D|20)", content, re.IGNORECASE):
        return None
    command = "python3 -c 'import sys, urllib.parse as u; print(u.unquote(sys.stdin.read()))'"
    return _Layer("percent-encoded text", unquote_to_bytes(content), command)


def _hex(content: bytes) -> _Layer | None:
    text = re.sub(rb"0x|[\s:,-]", b"", content, flags=re.IGNORECASE)
    if len(text) < _LONGEST_DIGEST * 2 or not re.fullmatch(rb"([0-9A-Fa-f]{2})+", text):
        return None
    command = "sed 's/0x//g' | tr -dc 0-9A-Fa-f | tr a-f A-F | basenc --base16 -d"
    return _Layer("hexadecimal digits", bytes.fromhex(text.decode()), command)


def _decimal(content: bytes) -> _Layer | None:
    if not re.fullmatch(rb"\s*[{(\[]?\s*\d{1,3}([\s,]+\d{1,3}){20,}\s*[\])}]?\s*", content):
        return None
    numbers = [int(number) for number in re.findall(rb"\d+", content)]
    if max(numbers) > 255:
        return None
    command = r"tr -cs 0-9 '\n' | xargs printf %02X | basenc --base16 -d"
    return _Layer("bytes as decimal numbers", bytes(numbers), command)


def _base64(content: bytes) -> _Layer | None:
    text = re.sub(rb"\s", b"", content)
    if re.fullmatch(rb"[A-Za-z0-9+/]{8,}={0,2}", text):
        name, command = "Base64", "base64 -di"
    elif re.fullmatch(rb"[A-Za-z0-9_-]{8,}={0,2}", text):
        name, command = "Base64 (in the URL-safe alphabet)", "tr _- /+ | base64 -di"
    else:
        return None
    text = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    if len(text) % 4 == 1:
        return None
    if re.search(rb"[\r\n\t]", content.strip()) or content.strip(b" ") != content.strip():
        name += " (with line breaks)" if re.search(rb"[\r\n]", content) else " (with tabs)"
    inside = base64.b64decode(text + b"=" * (-len(text) % 4))
    return _Layer(name, inside, command) if _core(inside) or _wrapped(inside) else None


def _wrapped(inside: bytes) -> bool:
    """Whether decoded bytes are something again, not noise that any word decodes to."""
    return inside[:2] in (b"\xff\xfe", b"\xfe\xff") or (
        len(inside) > 32 and (_utf16(inside) or _text(inside)) is not None
    )


_OUTER: tuple[_Look, ...] = (_utf16, _latin_1, _invisible, _data_url, _quoted, _escaped)
"""Looked for before anything else: a certificate inside could be seen, and not be read."""
_INNER: tuple[_Look, ...] = (_percent, _decimal, _hex, _base64)


def _text(content: bytes) -> str | None:
    """ASCII or UTF-8 text; None if it is neither."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if "\0" not in text else None


# ------------------------------------------------------------------------------------------ cores

_NOT_IT = "give the certificate in its place"
_PRIVATE = f"keep it secret, and {_NOT_IT}"
_EACH_ALONE = "give one certificate, without the others"

_LABELS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "CERTIFICATE": ("PEM text of a certificate, with BEGIN and END lines", (), ""),
    "X509 CERTIFICATE": ("PEM text of a certificate, with BEGIN and END lines", (), ""),
    "TRUSTED CERTIFICATE": ("OpenSSL's PEM text of a trusted certificate", (), ""),
    "PKCS7": ("PEM text of PKCS #7 (certificates in a bundle)",
              ("openssl pkcs7 -print_certs",), ""),
    "CMS": ("PEM text of CMS", ("openssl pkcs7 -print_certs",), ""),
    "CERTIFICATE REQUEST": ("PEM text of a certificate request", (), _NOT_IT),
    "NEW CERTIFICATE REQUEST": ("PEM text of a certificate request", (), _NOT_IT),
    "X509 CRL": ("PEM text of a revocation list", (), _NOT_IT),
    "PUBLIC KEY": ("PEM text of a public key without a certificate", (), _NOT_IT),
    "RSA PUBLIC KEY": ("PEM text of a public key without a certificate", (), _NOT_IT),
    "OPENSSH PRIVATE KEY": ("a private key of OpenSSH", (), _PRIVATE),
    "ENCRYPTED PRIVATE KEY": ("PEM text of an encrypted private key", (), _PRIVATE),
}  # fmt: skip
"""By the label of the first BEGIN line: what it is, filters, advice."""


def _pem(content: bytes) -> Form | None:
    begins = [
        label.decode() for label in re.findall(rb"-----BEGIN ([A-Z0-9 #]{1,60})-----", content)
    ]
    if not begins:
        half = re.search(rb"-----(BEGIN|END)", content)
        return Form("PEM text without a whole BEGIN line", advice=_GIVE_ONE) if half else None
    keys = [label for label in begins if label.endswith("PRIVATE KEY")]
    certificates = [label for label in begins if label.endswith("CERTIFICATE")]
    if keys and certificates:
        return Form("PEM text of a certificate with BEGIN and END lines, and of a private key")
    if len(certificates) > 1:
        return Form(
            f"PEM text of {len(certificates)} certificates, with BEGIN and END lines",
            advice=_EACH_ALONE,
        )
    label = begins[0]
    if f"-----END {label}-----".encode() not in content:
        return Form("PEM text that is cut off: it has no END line", advice=_GIVE_ONE)
    usual = (f"PEM text of a private key ({label})", (), _PRIVATE) if keys else (
        f"PEM text of something else ({label})", (), _NOT_IT
    )  # fmt: skip
    what, commands, advice = _LABELS.get(label, usual)
    return Form(what, commands, advice)


_OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_STRUCTURES: dict[tuple[int, ...], tuple[str, tuple[str, ...], str]] = {
    (0x06, 0xA0): ("PKCS #7 (certificates in a bundle)",
                   ("openssl pkcs7 -inform DER -print_certs",), ""),
    (0x02, 0x30, 0x30): ("PKCS #12 (.pfx)", ("openssl pkcs12 -nokeys -cacerts",), ""),
    (0x02, 0x30): ("PKCS #12 (.pfx)", ("openssl pkcs12 -nokeys -cacerts",), ""),
    (0x02, 0x30, 0x04): ("a private key (PKCS #8)", (), _PRIVATE),
    (0x02, 0x30, 0x04, 0xA0): ("a private key (PKCS #8)", (), _PRIVATE),
    (0x02,) * 9: ("a private key (RSA)", (), _PRIVATE),
    (0x02, 0x04, 0xA0, 0xA1): ("a private key (elliptic curve)", (), _PRIVATE),
    (0x02, 0x04, 0xA0): ("a private key (elliptic curve)", (), _PRIVATE),
    (0x30, 0x04): ("an encrypted private key (PKCS #8)", (), _PRIVATE),
    (0x30, 0x03): ("a public key without a certificate", (), _NOT_IT),
    (0x02, 0x02): ("a public key without a certificate", (), _NOT_IT),
}  # fmt: skip
"""By the tags of what a DER SEQUENCE has inside: what it is, filters, advice."""


def _der(content: bytes) -> Form | None:
    if not re.match(rb"0[\x20-\x7f]|0[\x81-\x83][^\0]", content):
        return None
    start, end = span(content, 0)
    short = content[1] < 0x80  # as text may begin, too
    if short and (end != len(content) or _text(content) is not None):
        return None
    if end > len(content):
        said = f"DER that is cut off: {len(content)} of {end} bytes"
        return Form(said, advice="copy it whole")
    tags = tuple(part[0] for part in values(content[start:end]) or ())
    if tags == (0x30, 0x30, 0x03):
        return _signed(content, end)
    known = _STRUCTURES.get(tags)
    if known is None or (tags == (0x06, 0xA0) and _OID_SIGNED_DATA not in content[:32]):
        return Form("DER of something unknown", advice=_GIVE_ONE) if not short else None
    return Form(*known)


def _signed(content: bytes, end: int) -> Form:
    """A certificate, a request or a revocation list, all of which are signed."""
    from cryptography import x509  # noqa: PLC0415 - 60 ms, seldom used

    kinds: tuple[tuple[Callable[[bytes], object], str, tuple[str, ...], str], ...] = (
        (x509.load_der_x509_certificate, "a certificate in DER", (_DER,), ""),
        (x509.load_der_x509_csr, "a certificate request", (), _NOT_IT),
        (x509.load_der_x509_crl, "a revocation list", (), _NOT_IT),
    )
    for load, what, commands, advice in kinds:
        try:
            load(content[:end])
        except Exception:  # noqa: BLE001, S112 - a foreign parser may raise anything
            continue
        if end == len(content):
            return Form(what, commands, advice)
        behind = len(content) - end
        if not advice and content[end:].startswith(b"0\x82"):
            return Form("several certificates in DER, one after the other", advice=_EACH_ALONE)
        return Form(f"{what} with {behind} more bytes behind it", commands, advice)
    return Form("a certificate that cannot be read", advice=_GIVE_ONE)


_LONGEST_DIGEST = 64
_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"\s*", "empty", _GIVE_ONE),
    (r"\s*(?i:0x)?([0-9A-Fa-f][ :-]?){39}[0-9A-Fa-f]\s*",
     "a thumbprint (SHA-1), not the certificate that it names", _GIVE_ONE),
    (r"\s*(?i:0x)?([0-9A-Fa-f][ :-]?){63}[0-9A-Fa-f]\s*",
     "a thumbprint (SHA-256), not the certificate that it names", _GIVE_ONE),
    (r"\s*(System|Microsoft)(\.\w+)+(\[\])?\s*", "the name of a .NET type, not its content",
     "in PowerShell use [Convert]::ToBase64String($certificate.RawData), elsewhere"),
    (r"\s*(ssh-|ecdsa-sha2-|sk-)[\w@.-]+ .*", "a public key of OpenSSH", _NOT_IT),
    (r"\s*---- BEGIN SSH2.*|\s*PuTTY-User-Key-File.*", "a key of SSH", _PRIVATE),
    (r"\s*(\$\{?[\w.:]+\}?|%\w+%|<[\w -]+>|\{\{.*\}\}|\[(parameters|variables)\(.*|\$\(.*)\s*",
     "a variable that nothing has replaced", _GIVE_ONE),
    (r"\s*<(?i:!doctype|html|\?xml|head|body|!--|[a-z]+[ >]).*", "HTML or XML", _GIVE_ONE),
    (r"\s*\{.*", "JSON", _GIVE_ONE),
    (r"\s*(?i:https?|file|ldap)://\S*\s*", "an address (URL)", _GIVE_ONE),
    (r"\s*Certificate:\s+Data:.*", "the description that openssl x509 -text prints", _GIVE_ONE),
    (r"\s*(?:(?:@|~?/(?=[\w. -]*\.)|\.{1,2}[/\\]|[A-Za-z]:[\\/]|\\\\)[^\r\n]{0,500})\s*",
     "the name of a file, not its content", "give what the file contains"),
    (r"[^\r\n]{1,250}\.(?i:cer|crt|pem|der|pfx|p12|p7b|p7c|txt|key|csr)\s*",
     "the name of a file, not its content", "give what the file contains"),
)  # fmt: skip
"""Kinds of text: pattern of the whole, what it is, advice."""


def _words(content: bytes) -> Form | None:
    text = _text(content)
    if text is None:
        return None
    for pattern, what, advice in _KINDS:
        if re.fullmatch(pattern, text, re.DOTALL):
            return Form(what, advice=advice)
    return None


_MAGIC: tuple[tuple[bytes, Form], ...] = (
    (b"0\x80\x06\x09" + _OID_SIGNED_DATA, Form(*_STRUCTURES[0x06, 0xA0])),
    (b"0\x80\x02\x01\x03", Form(*_STRUCTURES[0x02, 0x30])),
    (b"\xfe\xed\xfe\xed", Form("a Java key store", advice=_GIVE_ONE)),
    (b"PK\x03\x04", Form("a ZIP archive", advice=_GIVE_ONE)),
    (b"\x1f\x8b", Form("a gzip file", advice=_GIVE_ONE)),
    (b"%PDF", Form("a PDF file", advice=_GIVE_ONE)),
    (b"\x89PNG", Form("a picture", advice=_GIVE_ONE)),
    (b"0\xef\xbf\xbd", Form("binary data that was read as text and is lost", advice=_GIVE_ONE)),
)
"""First bytes, and what it is. The first two are BER of indefinite length."""


def _magic(content: bytes) -> Form | None:
    return next((form for start, form in _MAGIC if content.startswith(start)), None)


def _core(content: bytes) -> Form | None:
    """What the content is without a layer around it; None if there may be one."""
    for look in (_magic, _der, _words, _pem):
        if form := look(content):
            return form
    return None


def _unknown(content: bytes) -> str:
    text = _text(content)
    if text is None:
        return "binary data of an unknown kind"
    letters = re.sub(r"\s", "", text).rstrip("=")
    if odd := _odd_character(text):
        return f"text that is not Base64: {odd}"
    if "=" in letters:
        return f"text that is not Base64: '=' at character {text.index('=') + 1} is not at its end"
    if len(letters) % 4 == 1:
        return f"Base64 that is cut off: {len(letters)} characters"
    return "Base64 of something unknown"
