"""FreeRADIUS's configuration as text; tests/e2e/test_radius.py shows that the daemon accepts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radius.freeradius import command, files, nt_hash
from radius.freeradius_instance import Authority, Client, Domain, Instance, Tls
from radius.freeradius_sections import quoted

INSTANCE = Instance(
    "192.168.50.10",
    (Client("10.1.255.0/27", "lab-secret"),),
    {"alice": "Pa55w0rd!"},
    tls=Tls(b"chain", b"key"),
    authority=Authority(b"authority", b"list"),
)


def main_file(instance: Instance) -> str:
    return files(instance, "/run/freeradius")["radiusd.conf"].content.decode()


def test_the_hash_is_rfc_2759s() -> None:
    assert nt_hash("clientPass") == "44ebba8d5312b8d611474411f56989ae"


def test_every_file_is_its_owners_alone_and_none_has_a_password_in_the_clear() -> None:
    made = files(INSTANCE, "/run/freeradius")
    assert {file.mode for file in made.values()} == {0o600}
    assert not [name for name, file in made.items() if b"Pa55w0rd!" in file.content]
    assert made["authority.pem"].content == b"authoritylist"


def test_secrets_are_in_no_repr() -> None:
    shown = repr(INSTANCE) + repr(files(INSTANCE, "/run/freeradius"))
    assert not [word for word in ("lab-secret", "Pa55w0rd!", "b'key'") if word in shown]


@pytest.mark.parametrize("text", ["a\\", "a\\'b", "a\nb", "a\0"])
def test_what_cannot_be_written_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="written") as caught:
        quoted(text)
    assert text not in str(caught.value)


def test_methods_that_lack_something_are_refused() -> None:
    with pytest.raises(ValueError, match="server certificate"):
        files(replace(INSTANCE, tls=None), "/run")
    with pytest.raises(ValueError, match="authority"):
        files(replace(INSTANCE, authority=None), "/run")
    without = replace(INSTANCE, tls=None, authority=None, methods=("PAP", "EAP-MSCHAPv2"))
    assert set(files(without, "/run")) == {"radiusd.conf", "users"}


def test_a_member_of_a_domain_asks_it_with_the_sid_of_the_group_in_one_thread() -> None:
    member = replace(INSTANCE, domain=Domain("CORP", "S-1-5-21-1-2-3-1103"))
    asks = "/run/freeradius/winbind.py /run/freeradius/question CORP S-1-5-21-1-2-3-1103"
    assert main_file(member).count(f'/usr/bin/python3 -I -S {asks}"') == 2
    assert "-s" in command("/run/freeradius", member)
    assert "winbind" not in main_file(INSTANCE)
    assert "-s" not in command("/run/freeradius", INSTANCE)


def test_no_program_that_it_starts_has_a_password_or_a_challenge_in_argv() -> None:
    member = replace(INSTANCE, domain=Domain("CORP", "S-1-5-21-1-2-3-1103"))
    started = [
        line for line in main_file(member).splitlines() if line.strip().startswith(("ntlm", "prog"))
    ]
    assert len(started) == 3
    assert not [line for line in started if "%" in line]


def test_a_members_own_users_are_not_asked_of_the_domain() -> None:
    users = files(replace(INSTANCE, domain=Domain("CORP")), "/run")["users"].content
    assert b"MS-CHAP-Use-NTLM-Auth := No" in users
