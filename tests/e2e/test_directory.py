"""A real Active Directory of Samba, and FreeRADIUS as its member, asked for real PPP attempts."""

from __future__ import annotations

import json
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.ppp.config import ClientConfig, Method
from lab.errors import UsageError
from lab.roles.directory import Computer, DomainController, group_sid, start_domain
from lab.roles.radius_server import RadiusServer, start_radius
from radius.directory import CONTROLLER, Domain, User, built_in, password_flaw
from radius.freeradius_instance import Domain as Membership
from radius.freeradius_instance import Instance
from tests.e2e.test_radius import dialled, eap_mschapv2
from tests.rigs.radius_bench import ADDRESSES, CLIENTS, SERVER, Bench, on_a_bench

PASSWORD = "Pa55w0rd!"
VPN = ("vpn",)
DOMAIN = Domain(
    "corp.test",
    (
        User("alice", PASSWORD, VPN),
        User("bob", PASSWORD, VPN, disabled=True),
        User("carol", PASSWORD, VPN, must_change=True),
        User("dave", PASSWORD, VPN, expired=True),
        User("erin", PASSWORD),
        User("frank", PASSWORD, VPN),
    ),
    ("NPS1",),
    lockout_threshold=3,
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "directory"


async def domain(bench: Bench, wanted: Domain = DOMAIN) -> DomainController:
    computers = [
        Computer(name, bench.nodes[name.lower()], bench.addresses[name.lower()])
        for name in (CONTROLLER, *wanted.members)
    ]
    return await start_domain(wanted, computers[0], computers[1:])


async def member(bench: Bench, **changes: Any) -> RadiusServer:
    node = bench.nodes["nps1"]
    membership = Membership("CORP", await group_sid(node, "CORP", "vpn"))
    methods = ("MS-CHAPv2", "EAP-MSCHAPv2", "PEAP", "PAP")
    whole = Instance(
        SERVER, CLIENTS, {"local": PASSWORD}, methods, tls=bench.tls, domain=membership
    )
    return await start_radius(node, replace(whole, **changes))


async def outcome(bench: Bench, server: RadiusServer, user: str, password: str, how: Method) -> str:
    written = server.written()
    result = await dialled(bench, ClientConfig(user, password, methods=(how,)), how)
    refusal = server.refusal(user, written)
    if result.connected:
        assert refusal is None
        return "connected"
    assert refusal is not None
    return refusal.reason


REFUSED = {"bob": "disabled", "carol": "must-change-password", "dave": "account-expired",
           "erin": "not-in-group"}  # fmt: skip


HARD = {
    "Jörg O'Brien": "Pässwörd ☃ 😀",
    "иван": "Пароль 1",
    "a#b$c%d": "'\"\\#%$ Aa1",
    "-x -y": "  Aa1 both ends  ",
    "DEFAULT": "Aa1" + "z" * 120,
}
WORDS = (
    *HARD.values(), "Secret1", "secret12", "SECRET1", "secret1!", "ßäöüÄ12", "ßäöü 12",
    "日本語Aa12", "日本語1234", "日本語  Aa", "😀😀Abc", "Aaa aaa", "ªº1Aaaa", "ǅǅǅ1234", "٣٣٣Aaaa",
)  # fmt: skip
ASKED = """import json, sys, samba
print(json.dumps({word: samba.check_password_quality(word) for word in json.load(sys.stdin)}))"""
"""All are long enough; some are complex, some are not."""


def test_domain_users_sign_in_and_each_refusal_has_its_reason(tmp_path: Path, cache: Path) -> None:
    """Of a domain with two members, in which some have names and passwords of every kind."""
    hard = tuple(User(name, password, VPN) for name, password in HARD.items())
    wanted = replace(DOMAIN, users=DOMAIN.users + hard, members=("NPS1", "NPS2"))

    async def test(bench: Bench) -> None:
        await domain(bench, wanted)
        sids = [await group_sid(bench.nodes[name], "CORP", "vpn") for name in ("nps1", "nps2")]
        assert sids[0] == sids[1]
        server = await member(bench)
        await refusals_have_their_reasons(bench, server)
        await hard_ones_sign_in(bench, server)
        argv = ["/usr/bin/python3", "-I", "-c", ASKED]
        done = await bench.nodes["dc1"].run(argv, input=json.dumps(WORDS))
        assert {word: not password_flaw(word) for word in WORDS} == json.loads(done.stdout)

    on_a_bench(tmp_path, test)


async def refusals_have_their_reasons(bench: Bench, server: RadiusServer) -> None:
    for how in ("MS-CHAPv2", "EAP", "PAP"):
        for name in ("alice", "CORP\\alice", "alice@corp.test", "local"):
            assert await outcome(bench, server, name, PASSWORD, how) == "connected", name
        for name, reason in REFUSED.items():
            assert await outcome(bench, server, name, PASSWORD, how) == reason
        assert await outcome(bench, server, "nobody", PASSWORD, how) == "unknown-user"
        assert await outcome(bench, server, "erin", "wrong", how) == "password"
    for _ in range(3):
        assert await outcome(bench, server, "frank", "wrong", "MS-CHAPv2") == "password"
    assert await outcome(bench, server, "frank", PASSWORD, "MS-CHAPv2") == "locked-out"
    peap = await bench.eapol_test(eap_mschapv2(PASSWORD, "PEAP", "alice"))
    assert peap.code == 0, peap.output[-2000:]
    written = server.written()
    assert (await bench.eapol_test(eap_mschapv2(PASSWORD, "PEAP", "erin"))).code != 0
    refusal = server.refusal("erin", written)
    assert refusal is not None
    assert refusal.reason == "not-in-group"
    listed = await bench.nodes["nps1"].run(["stat", "-c", "%a %s", "/run/freeradius/question"])
    assert listed.stdout == "600 0\n"


async def hard_ones_sign_in(bench: Bench, server: RadiusServer) -> None:
    for name, password in HARD.items():
        for how in ("MS-CHAPv2", "EAP", "PAP"):
            assert await outcome(bench, server, name, password, how) == "connected", name
        assert await outcome(bench, server, name, password[:-1], "EAP") == "password"


def test_a_kept_domain_is_the_same_at_other_addresses_and_comes_back_when_it_went_away(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(bench: Bench) -> None:
        await domain(bench)
        note(tmp_path / "first", await group_sid(bench.nodes["nps1"], "CORP", "vpn"))

    async def again(bench: Bench) -> None:
        monkeypatch.setattr("lab.roles.directory._make", _never)
        controller = await domain(bench)
        note(tmp_path / "again", await group_sid(bench.nodes["nps1"], "CORP", "vpn"))
        server = await member(bench)
        assert await outcome(bench, server, "alice", PASSWORD, "MS-CHAPv2") == "connected"
        assert await outcome(bench, server, "bob", PASSWORD, "MS-CHAPv2") == "disabled"
        await controller.stop()
        for how in ("MS-CHAPv2", "EAP", "PAP"):
            assert await outcome(bench, server, "alice", PASSWORD, how) == "no-directory"
        assert await outcome(bench, server, "local", PASSWORD, "MS-CHAPv2") == "connected"
        await controller.begin()
        assert await outcome(bench, server, "alice", PASSWORD, "MS-CHAPv2") == "connected"

    on_a_bench(tmp_path / "1", first)
    [archive] = cache.iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    swapped = {"dc1": ADDRESSES["nps2"], "nps2": ADDRESSES["dc1"]}
    on_a_bench(tmp_path / "2", again, ADDRESSES | swapped)
    assert (tmp_path / "first").read_text() == (tmp_path / "again").read_text()
    assert list(cache.iterdir()) == [archive]


async def _never(*_: Any) -> None:
    raise AssertionError("it was to be taken from the cache")


def note(path: Path, text: str) -> None:
    """What happens on the bench happens in another process."""
    path.write_text(text)


def test_an_impossible_password_is_reported_by_the_users_name_and_not_kept(
    tmp_path: Path, cache: Path
) -> None:
    async def test(bench: Bench) -> None:
        weak = replace(DOMAIN, users=(User("alice", "weakpw"),))
        with pytest.raises(UsageError, match="user alice") as caught:
            await domain(bench, weak)
        assert "weakpw" not in str(caught.value)

    on_a_bench(tmp_path, test)
    assert not cache.exists()


JUDGE = """\
import json, samba, sys
print(json.dumps([samba.check_password_quality(one) for one in json.load(sys.stdin)]))
"""


def test_samba_judges_passwords_as_topologies_are_judged() -> None:
    chance = random.Random(1)
    alphabet = 'aZ9 _.\\"é漢Éßд٣Ⅷ€'
    tried = ["".join(chance.choices(alphabet, k=chance.randint(7, 9))) for _ in range(5000)]
    told = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", JUDGE],
        input=json.dumps(tried), capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = dict(zip(tried, json.loads(told.stdout), strict=True))
    assert {one: not password_flaw(one) for one in tried} == wanted
    assert len(set(wanted.values())) == 2


def test_the_accounts_of_a_new_domain_are_known() -> None:
    ldif = "".join(file.read_text() for file in Path("/usr/share/samba/setup").glob("*.ldif"))
    names = set(re.findall(r"(?im)^sAMAccountName: ([A-Za-z0-9_.-]+)$", ldif)) - {
        "CASE_INSENSITIVE"  # a value of the schema
    }
    assert {"Administrator", "krbtgt", "Users"} <= names
    assert [name for name in names if not built_in(name)] == []
    assert built_in(CONTROLLER)
    assert not built_in("vpn")
