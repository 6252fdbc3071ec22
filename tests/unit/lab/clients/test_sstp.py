"""The driver of sstpc and pppd: their configuration, and the handling of their messages."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from lab.clients.profile import Profile
from lab.clients.reasons import SSTP, judge
from lab.clients.server_name import read_check
from lab.clients.sstp import Sstp
from lab.clients.sstp_options import dial_limit, openssl_limits, pppd_command, pppd_options
from lab.clients.user import UserCertificate, UserPassword
from lab.errors import LabError, MachineError, UsageError
from lab.nodes.base import Completed
from lab.pki.authority import Credential, sign
from lab.topology.model.vocabulary import Reason
from lab.topology.planning.plan import CertificatePlan, TlsLimits
from lab.vpn_client import RefusedError

T = TypeVar("T")
PROFILE = Profile(("SSTP",), "gw.test", ("10.1.0.0/16", "172.16.201.0/24"), b"ROOT", "")
BOB = UserPassword('bob "the\\builder"', "s3cret")
SAME = Completed(0, "", "CONNECTION ESTABLISHED\nVerification: OK\nVerified peername: gw.test\n")
OTHER = Completed(1, "", "depth=0 CN = a\nverify error:num=62:hostname mismatch\n")
NOBODY = Completed(
    1, "", "40F7:error:8000006F:system library:BIO_connect:Connection refused:a.c:1:"
)
UP = """\
using channel 1
Using interface ppp0
Connect: ppp0 <--> /dev/pts/0
Nov 25 01:26:32 sstpc[801]: Resolved gw.test to 203.0.113.2
rcvd [IPCP ConfReq id=0x1 <addr 10.9.0.1>]
Nov 25 01:26:32 sstpc[801]:   TYPE(4): CONNECTED, ATTR(1):
Nov 25 01:26:32 sstpc[801]:     CRYPTO BIND(3): 104
local  IP address 172.16.201.2
remote IP address 172.16.201.1
primary   DNS address 10.1.1.53
secondary DNS address 10.1.1.53
"""


class FakeProcess:
    """pppd, as far as it came."""

    pid = 1

    def __init__(self, log: Path, code: int | None) -> None:
        self.log = log
        self.code = code

    async def wait(self) -> int:
        return self.code or 0

    def signal(self, number: int) -> None:
        raise AssertionError("only stopped")

    async def stop(self, limit: float = 5.0) -> int:
        self.code = 5 if self.code is None else self.code
        return self.code


class FakeNode:
    """A computer whose openssl, pppd and ip print given output."""

    name = "pc"
    kernel = "Linux 6.1"

    def __init__(self, directory: Path, check: Completed, said: str, code: int | None) -> None:
        self.run_directory = directory
        self.files: dict[str, bytes] = {"/etc/resolv.conf": b"nameserver 8.8.8.8\n"}
        self.ran: list[tuple[list[str], str]] = []
        self.pppd: FakeProcess | None = None
        self._check, self._pppd_says, self._code = check, said, code

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str = "",
        limit: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        self.ran.append((list(argv), input))
        if argv[0] == "openssl":
            return self._check
        shown = [{"addr_info": [{"local": "172.16.201.2"}]}] if "show" in argv else ""
        return Completed(0, json.dumps(shown), "")

    async def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> FakeProcess:
        mark = argv[2].split('"')[1]
        path = self.run_directory / log
        path.write_text(f"local  IP address of an earlier dial\n{mark}\n{self._pppd_says}")
        self.pppd = FakeProcess(path, self._code)
        return self.pppd

    async def call(self, function: Callable[[], T]) -> T:
        return function()

    async def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        self.files[path] = data.encode() if isinstance(data, str) else data

    async def read(self, path: str) -> bytes:
        return self.files[path]

    async def reboot(self) -> None:
        raise AssertionError("not asked for")


async def test_a_call_that_comes_up_takes_the_profiles_routes_and_the_dns_of_ipcp(
    tmp_path: Path,
) -> None:
    node = FakeNode(tmp_path, SAME, UP, None)
    driver = Sstp(node, PROFILE, BOB)
    connection = await driver.connect()
    assert (connection.address, connection.interface) == ("172.16.201.2", "ppp0")
    assert connection.said == ("TYPE(4): CONNECTED, ATTR(1):", "CRYPTO BIND(3): 104")
    orders = [words for argv, words in node.ran if argv == ["ip", "-batch", "-"]]
    assert orders == ["".join(f"route append {p} dev ppp0\n" for p in PROFILE.routes)]
    resolver = b"nameserver 8.8.8.8\n"
    assert node.files["/etc/resolv.conf"] == b"nameserver 10.1.1.53\n" + resolver
    await driver.disconnect()
    assert node.files["/etc/resolv.conf"] == resolver
    assert await driver.connection() is None


async def test_a_server_of_another_name_is_shown_nothing_of_the_users(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, OTHER, UP, None)
    with pytest.raises(RefusedError) as refused:
        await Sstp(node, PROFILE, BOB).connect()
    assert refused.value.reason == "server-untrusted"
    assert "hostname mismatch" in refused.value.message
    assert node.pppd is None


async def test_a_server_whose_name_could_not_be_compared_is_hung_up(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, Completed(1, "", ""), UP, None)
    with pytest.raises(RefusedError) as refused:
        await Sstp(node, PROFILE, BOB).connect()
    assert refused.value.reason == "server-untrusted"
    assert node.pppd
    assert node.pppd.code == 5


async def test_what_an_earlier_dial_said_is_not_this_ones(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, SAME, "EAP: peer reports authentication failure\n", 19)
    with pytest.raises(RefusedError) as refused:
        await Sstp(node, PROFILE, BOB).connect()
    assert refused.value.reason == "refused"
    assert "pppd ended with 19" in refused.value.message


async def test_a_silent_gateway_is_reported_with_openssls_message(
    tmp_path: Path,
) -> None:
    node = FakeNode(tmp_path, NOBODY, "Modem hangup\n", 16)
    with pytest.raises(RefusedError) as refused:
        await Sstp(node, PROFILE, BOB).connect()
    assert refused.value.reason == "no-answer"
    assert "openssl: Connection refused" in refused.value.message


async def test_the_radius_servers_root_is_placed_for_who_shows_it_a_certificate(
    tmp_path: Path,
) -> None:
    node = FakeNode(tmp_path, SAME, UP, None)
    await Sstp(node, replace(PROFILE, radius_root=b"RADIUS ROOT"), BOB).connect()
    assert node.files["/run/sstp/RadiusServerRoot.pem"] == b"RADIUS ROOT"


def test_who_may_be_asked_for_a_second_factor_is_waited_for() -> None:
    certificate = UserCertificate(b"", b"", ())
    assert dial_limit(certificate, b"") == 20
    assert dial_limit(certificate, b"ROOT") > 30
    assert dial_limit(BOB, b"") > 30


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pppd: This system lacks kernel support for PPP.\n", MachineError),
        ("The event loop terminated unsuccessfully\n", LabError),
    ],
)
async def test_a_fault_of_this_side_is_no_refusal(
    tmp_path: Path, said: str, kind: type[LabError]
) -> None:
    node = FakeNode(tmp_path, SAME, said, 4)
    with pytest.raises(kind) as raised:
        await Sstp(node, PROFILE, BOB).connect()
    assert raised.type is kind
    assert raised.value.remedy


async def test_the_end_is_reported_with_pppds_message(tmp_path: Path) -> None:
    last = "LCP terminated by peer (revoked)\nScript sstpc finished (pid 5), status = 0x0\n"
    node = FakeNode(tmp_path, SAME, UP + last, None)
    driver = Sstp(node, PROFILE, BOB)
    await driver.connect()
    with pytest.raises(TimeoutError):
        await driver.ended(0.01)
    assert node.pppd
    node.pppd.code = 16
    assert (await driver.ended(1.0)).endswith("LCP terminated by peer (revoked)")


async def test_sstp_cannot_rekey(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not rekey"):
        await Sstp(FakeNode(tmp_path, SAME, "", None), PROFILE, BOB).rekey()


def test_a_password_is_quoted_for_pppd_and_shown_nowhere_else() -> None:
    text = pppd_options(BOB).decode()
    assert 'name "bob \\"the\\\\builder\\""' in text.splitlines()
    assert 'password "s3cret"' in text.splitlines()
    assert "refuse-mschap-v2" not in text
    assert {"refuse-eap", "eap-timeout 60", "chap-timeout 60"} <= set(text.splitlines())
    assert "s3cret" not in repr(BOB)
    assert b"nodetach2" not in pppd_options(UserPassword('x"\nnodetach2', "")).splitlines()


@pytest.mark.parametrize("password", [' a\\"b ', "\\", "#%$'`", "Pässwörd\u00a0ÿ"])
def test_pppd_reads_back_the_password_in_latin_1(password: str) -> None:
    (line,) = (
        o for o in pppd_options(UserPassword("a", password)).splitlines() if b"password" in o
    )
    assert read_word(line.partition(b" ")[2]) == password.encode("latin-1")


def read_word(quoted: bytes) -> bytes:
    """pppd 2.4.9's getword for a word in double quotes: a backslash takes the next byte."""
    assert quoted[:1] == quoted[-1:] == b'"'
    return re.sub(rb"\\(.)", rb"\1", quoted[1:-1])


def test_a_certificate_is_for_eap_tls_and_nothing_weaker() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    alice: Credential = sign(CertificatePlan("alice", "Alice A.", None, "root"), key, None)
    certificate = UserCertificate(alice.certificate_pem, b"KEY", ())
    options = pppd_options(certificate).decode().splitlines()
    assert 'name "Alice A."' in options
    assert {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschap-v2"} <= set(options)
    assert not any(option.startswith("password") for option in options)
    assert {"ca", "cert", "key"} <= {option.partition(" ")[0] for option in options}
    assert "refuse-eap" not in options
    assert "ca /run/sstp/VpnServerRoot.pem" in options
    assert "ca /run/sstp/RadiusServerRoot.pem" in pppd_options(certificate, radius=True).decode()


def test_sstpc_verifies_the_gateways_certificate_and_goes_through_the_proxy() -> None:
    command = pppd_command("gw.test; reboot", ("192.168.77.9", 3128))
    words = shlex.split(command[-1].removeprefix("trap '' TERM; ").removesuffix("; exit"))
    assert words[0] == "sstpc"
    assert "--cert-warn" not in words
    assert words[words.index("--ca-cert") + 1] == "/run/sstp/VpnServerRoot.pem"
    assert words[words.index("--proxy") + 1] == "http://192.168.77.9:3128"
    assert words[-1] == "gw.test; reboot"
    socket = command[command.index("sstp-sock") + 1]
    assert socket.endswith(f"sstpc-{words[words.index('--ipparam') + 1]}")


def test_an_old_tls_is_a_configuration_of_openssl() -> None:
    assert "MaxProtocol = TLSv1.1\n" in openssl_limits(TlsLimits("1.1"))
    assert "MaxProtocol = TLSv1\n" in openssl_limits(TlsLimits("1.0"))


def test_text_in_a_certificate_does_not_pass_for_openssls() -> None:
    liar = "depth=0 CN = Verified peername: gw.test\nPeer certificate: CN = Verification: OK\n"
    assert read_check(Completed(0, "", liar)).verdict == "unknown"
    assert read_check(Completed(1, "", f"{SAME.stderr}verify error")).verdict == "unknown"
    assert read_check(SAME).verdict == "same"
    assert read_check(OTHER).verdict == "other"


# Lines as openssl 3.0, sstpc 1.0.18 and pppd 2.4.9 printed them.
SAID = [
    (["openssl: tlsv1 alert protocol version", "Unrecoverable socket error, 1"], "tls"),
    (["openssl: sslv3 alert handshake failure", "HTTP handshake with server failed"], "tls"),
    (["openssl: verify error:num=20:unable to get local issuer certificate",
      "Error: Expected HTTP code 200"], "server-untrusted"),
    (["Could not resolve host: nowhere.test, Temporary failure in name resolution (-3)",
      "Could not lookup host: `nowhere.test'"], "no-answer"),
    (["openssl: HTTP CONNECT failed, reason= 403 Forbidden",
      "Could not connect to proxy server"], "proxy"),
    (["Error: Expected HTTP code 200", "HTTP handshake with server failed"], "refused"),
    (["  TYPE(5): ABORT, ATTR(1):", "Connection was aborted, Reason was not known"], "refused"),
    ([" -> Alert: unknown CA", "EAP: peer reports authentication failure"], "server-untrusted"),
    ([" <- Alert: unknown CA", "EAP: peer reports authentication failure"], "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "reason"), SAID)
def test_the_programs_messages_become_one_reason_and_stay_quoted(
    lines: list[str], reason: str
) -> None:
    found, message = judge(SSTP, ["Using interface ppp0", *lines])
    assert found == reason
    assert any(line in message for line in lines)


@pytest.mark.parametrize(
    ("own", "lines", "reason"),
    [
        ("no-answer", [], "no-answer"),
        ("no-answer", ["Could not connect to proxy server"], "proxy"),
        ("server-untrusted", ["Error: Expected HTTP code 200"], "server-untrusted"),
    ],
)
def test_a_line_of_our_own_has_its_reason_whatever_it_says(
    own: Reason, lines: list[str], reason: str
) -> None:
    ours = "openssl: gave no alert protocol version"
    assert judge(SSTP, [ours, *lines], {ours: own})[0] == reason
