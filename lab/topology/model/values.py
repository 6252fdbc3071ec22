"""The scalar values of a topology file: names, prefixes, addresses, firewall entries, validity."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from radius.printable import is_printable

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")
_ALLOW = re.compile(r"(?P<transport>tcp|udp)(/(?P<port>[0-9]{1,5}))?|icmp|esp|ah|gre")
_DAYS = re.compile(r"(?P<days>[+-][0-9]{1,5})d")
ALLOW_WORDS = "tcp/443, udp/53, tcp, udp, icmp, esp, ah or gre"
TRAFFIC_WORDS = "tcp/443, 203.0.113.2, udp to 203.0.113.0/24 or tcp/443 to 203.0.113.2"


def _text(value: Any, example: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text; write it like {example}")  # noqa: TRY004 (pydantic)
    return value


def parse_name(value: Any) -> str:
    """A name, by Azure's rules for names of gateways, virtual networks and connections."""
    text = _text(value, "app1")
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} cannot be a name: at most 80 letters, digits, '_', '.' and '-', the first a "
            "letter or a digit, the last not '.' or '-', such as VNet1GW"
        )
    return text


def _without_zone(value: Any, example: str) -> str:
    """Text without a zone (RFC 4007, section 11), which has a meaning on one computer only."""
    text = _text(value, example)
    if "%" in text:
        raise ValueError(f"{text!r} has a zone; write it without %, like {example}")
    return text


def parse_prefix(value: Any) -> Network:
    """A prefix without host bits, IPv4 or IPv6."""
    if isinstance(value, Network):
        return value
    text = _without_zone(value, "10.1.0.0/16")
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        right = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a prefix; write it like 10.1.0.0/16") from None
    raise ValueError(f"{text} has host bits set; the prefix would be {right}")


def parse_address(value: Any) -> IpAddress:
    """An address, IPv4 or IPv6."""
    if isinstance(value, IpAddress):
        return value
    text = _without_zone(value, "10.1.1.4")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address; write it like 10.1.1.4") from None


def parse_allow(value: Any) -> str:
    """A firewall entry: `tcp/443`, a whole transport, or an IP protocol by name."""
    text = _text(value, "tcp/443")
    match = _ALLOW.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a firewall entry; write {ALLOW_WORDS}")
    port = match["port"]
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError(f"there is no port {port}; ports go from 1 to 65535")
    return text


def parse_traffic(value: Any) -> str:
    """A firewall entry with or without a destination: `tcp/443`, `203.0.113.2`, `udp to
    203.0.113.0/24`."""
    text = _text(value, TRAFFIC_WORDS)
    service, to, prefix = text.rpartition(" to ")
    if to:
        return f"{parse_allow(service)} to {_traffic_prefix(prefix)}"
    if _ALLOW.fullmatch(text):
        return parse_allow(text)
    try:
        return str(_traffic_prefix(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a firewall entry; write {TRAFFIC_WORDS}") from None


def _traffic_prefix(text: str) -> Network | IpAddress:
    return parse_prefix(text) if "/" in text else parse_address(text)


def traffic_of(entry: str) -> tuple[str, Network | None]:
    """The service of such an entry, empty for everything, and its destination, None for all."""
    service, to, prefix = entry.rpartition(" to ")
    if not to and _ALLOW.fullmatch(entry):
        return entry, None
    return service, ipaddress.ip_network(prefix)


_EARLIEST, _LATEST = -20_000, 99_999
"""Days from now: a certificate's validity begins in 1950 or later (RFC 5280, section 4.1.2.5)."""


def parse_days(value: Any) -> int:
    """`-2d` (two days ago) or `+365d` (in a year's time) as a number of days from now."""
    if isinstance(value, int) and not isinstance(value, bool):
        days = value
    else:
        match = _DAYS.fullmatch(_text(value, "-2d or +365d"))
        if not match:
            raise ValueError(f"{value!r} is not a number of days from now; write -2d or +365d")
        days = int(match["days"])
    if not _EARLIEST <= days <= _LATEST:
        raise ValueError(f"{value!r} is too far from now: {_EARLIEST}d to +{_LATEST}d are possible")
    return days


_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)*(?P<last>{_LABEL})\.?")


def parse_dns_name(value: Any) -> str:
    """A name that a resolver can be asked for (RFC 1123, section 2.1): not an address."""
    text = _text(value, "app1.contoso.internal")
    match = _DNS_NAME.fullmatch(text)
    if not match or match["last"].isdigit():
        raise ValueError(f"{text!r} is not a DNS name; write it like app1.contoso.internal")
    return text


def parse_target(value: Any) -> str:
    """An address or a DNS name. Text such as 10.1.1.400 is neither."""
    text = _text(value, "10.1.1.4 or app1.contoso.internal")
    for parse in (parse_address, parse_dns_name):
        try:
            return str(parse(text))
        except ValueError:
            continue
    raise ValueError(
        f"{text!r} is neither an address nor a DNS name; "
        "write it like 10.1.1.4 or app1.contoso.internal"
    )


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION = re.compile(r"(?P<number>[0-9]{1,6}(\.[0-9]{1,3})?)(?P<unit>ms|s|m)")
_MAXIMUM_DURATION = 3600.0


_PERCENT = re.compile(r"(?P<number>[0-9]{1,3}(\.[0-9]{1,2})?)%")


def parse_loss(value: Any) -> float:
    """`1%` or `0.5%`, as a share of one; more than nothing, and less than everything."""
    match = _PERCENT.fullmatch(_text(value, "1%"))
    if not match:
        raise ValueError(f"{value!r} is not a share of packets; write it like 1% or 0.5%")
    share = float(match["number"]) / 100
    if not 0 < share < 1:
        raise ValueError(f"{value!r} must be more than 0% and less than 100%")
    return share


def parse_duration(value: Any) -> float:
    """`20s`, `1.5s`, `500ms`, `2m` or a number of seconds, as seconds; at most one hour."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = _DURATION.fullmatch(_text(value, "20s"))
        if not match:
            raise ValueError(f"{value!r} is not a time; write it like 20s, 500ms or 2m")
        seconds = float(match["number"]) * _UNITS[match["unit"]]
    if not 0 < seconds <= _MAXIMUM_DURATION:
        raise ValueError(f"{value!r} must be more than 0 and at most one hour")
    return seconds


def parse_seconds(value: Any) -> float:
    """A number of seconds, at most one hour; without a unit."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _MAXIMUM_DURATION:
        most = f"{_MAXIMUM_DURATION:g}"
        raise ValueError(f"{value!r} is not a number of seconds, at most {most}; write it like 10")
    return float(value)


def parse_whole_seconds(value: Any) -> float:
    """A time in whole seconds, as kernels count the life of a connection."""
    seconds = parse_duration(value)
    if seconds != int(seconds):
        raise ValueError(f"{value!r} must be whole seconds; write it like 30s or 2m")
    return seconds


def _kind(parse: Callable[[Any], Any], **schema: Any) -> tuple[Any, ...]:
    return BeforeValidator(parse), WithJsonSchema({"type": "string", **schema})


_PROXY_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


def parse_proxy_user(value: Any) -> str:
    """A user of an HTTP proxy; squid's list of users has a colon after each name."""
    text = _text(value, "alice")
    if not _PROXY_USER.fullmatch(text):
        raise ValueError(
            f"{text!r} cannot be a user of a proxy: letters, digits, '_', '.', '@' and '-' alone"
        )
    return text


_MAXIMUM_USER_NAME = 253
"""Bytes: RADIUS's User-Name (RFC 2865, section 5.1)."""


def parse_sign_in(value: Any) -> str:
    """A user name as typed at sign-in: `alice`, `DOMAIN\\alice`, `alice@domain`, or any other text.
    What is before a backslash is a domain, to MS-CHAPv2 too (RFC 2759, section 4)."""
    text = _text(value, "alice")
    domain, separator, name = text.rpartition("\\")
    if not is_printable(text) or not name or (separator and (not domain or "\\" in domain)):
        raise ValueError(
            f"{text!r} cannot be a user's name: printable characters on one line, and at most one "
            "backslash, after a domain; write it like alice, CORP\\alice or alice@corp.test"
        )
    if (size := len(text.encode())) > _MAXIMUM_USER_NAME:
        raise ValueError(
            f"a user's name has at most {_MAXIMUM_USER_NAME} bytes in UTF-8, this one {size}"
        )
    return text


MAXIMUM_COMMON_NAME = 64
"""RFC 5280, appendix A, counts characters; the cryptography package counts bytes."""
_CONTROL_CATEGORIES = frozenset(("Cc", "Zl", "Zp"))
"""Unicode's categories of control characters and line separators."""


def parse_common_name(value: Any) -> str:
    """A certificate's common name: any legal text (RFC 5280, appendix A) on one line."""
    text = _text(value, "Alice Example")
    control = next((c for c in text if unicodedata.category(c) in _CONTROL_CATEGORIES), None)
    if control is not None:
        raise ValueError(
            f"{text!r} cannot be a common name: it has the control character {control!r}; "
            "write it on one line"
        )
    size = len(text.encode())
    if not 1 <= size <= MAXIMUM_COMMON_NAME:
        raise ValueError(
            f"a common name has 1 to {MAXIMUM_COMMON_NAME} bytes in UTF-8, this one {size}"
        )
    return text


def _not_empty(value: tuple[Network, ...]) -> tuple[Network, ...]:
    """Checked after the entries, so that a wrong one is not reported as missing, too."""
    if not value:
        raise ValueError("an empty list has no prefix; name one, or leave the key out")
    return value


def parse_version(value: Any) -> str:
    """A version of an operating system. A whole number is one; 10.10 without quotes is 10.1."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        raise ValueError(f"the version {value} is a number here; put it in quotes")  # noqa: TRY004
    return _text(value, '"10.13" or 1607')


_DWORD = re.compile(r"0x[0-9A-Fa-f]{1,8}|[0-9]{1,10}")


def parse_dword(value: Any) -> int:
    """A REG_DWORD: a number, or its text as reg.exe takes it, such as 0xfc0."""
    number = value
    if isinstance(value, str) and _DWORD.fullmatch(value):
        number = int(value, 16 if value.startswith("0x") else 10)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 32:
        raise ValueError(f"{value!r} is not a REG_DWORD; write it like 1 or 0xfc0")
    return number


Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": int(_MAXIMUM_DURATION)}),
]
Words = Annotated[str, Field(min_length=1)]
"""Text to be found in a message: the empty text is in every one."""
_AS_TEXT = PlainSerializer(str, return_type=str)

Name = Annotated[str, *_kind(parse_name, pattern=f"^{_NAME.pattern}$")]
Prefix = Annotated[Network, *_kind(parse_prefix, examples=["10.1.0.0/16"]), _AS_TEXT]
Prefixes = Annotated[
    tuple[Prefix, ...],
    Field(json_schema_extra={"minItems": 1}),
    AfterValidator(_not_empty),
]
Address = Annotated[IpAddress, *_kind(parse_address, examples=["10.1.1.4"]), _AS_TEXT]
DnsName = Annotated[str, *_kind(parse_dns_name, examples=["app1.contoso.internal"])]
Target = Annotated[str, *_kind(parse_target, examples=["10.1.1.4", "app1.contoso.internal"])]
Allow = Annotated[
    str,
    *_kind(
        parse_allow,
        pattern=f"^({_ALLOW.pattern})$".replace("?P<transport>", "").replace("?P<port>", ""),
        examples=["tcp/443", "udp/53", "icmp", "esp"],
    ),
]
Traffic = Annotated[
    str,
    *_kind(parse_traffic, examples=["tcp/443", "203.0.113.2", "udp to 203.0.113.0/24"]),
]
Days = Annotated[int, *_kind(parse_days, pattern="^[+-][0-9]{1,5}d$", examples=["-2d", "+365d"])]
SignIn = Annotated[
    str,
    *_kind(
        parse_sign_in,
        pattern=rf"^([^\\]+\\)?[^\\]{{1,{_MAXIMUM_USER_NAME}}}$",
    ),
]
ProxyUser = Annotated[
    str, *_kind(parse_proxy_user, pattern=f"^{_PROXY_USER.pattern}$", examples=["alice"])
]
CommonName = Annotated[
    str,
    *_kind(
        parse_common_name,
        minLength=1,
        maxLength=MAXIMUM_COMMON_NAME,
        examples=["Alice Example", "alice@contoso.com"],
    ),
]
Version = Annotated[
    str,
    BeforeValidator(parse_version),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "integer"}], "examples": ["10.13", 1607]}
    ),
]
Dword = Annotated[
    int,
    BeforeValidator(parse_dword),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": (1 << 32) - 1},
                {"type": "string", "pattern": f"^({_DWORD.pattern})$"},
            ]
        }
    ),
]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": _MAXIMUM_DURATION},
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m)$"},
            ]
        }
    ),
]
WholeSeconds = Annotated[
    float,
    BeforeValidator(parse_whole_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": int(_MAXIMUM_DURATION)},
                {"type": "string", "pattern": "^[0-9]{1,6}(s|m)$"},
            ]
        }
    ),
]
Loss = Annotated[
    float, *_kind(parse_loss, pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?%$", examples=["1%"])
]
Mbps = Annotated[float, Field(ge=0.1, le=10_000)]
"""Mbit/s."""
Mtu = Annotated[int, Field(strict=True, ge=576, le=1500)]
"""Bytes of the largest packet on a link; IPv4 has none that takes less than 576 whole."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Nodes = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=32),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 32},
            ]
        }
    ),
]
"""One name of a node, or a list of them."""
