"""The text of an Active Directory; tests/e2e/test_directory.py shows that Samba accepts it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from radius.directory import (
    Domain,
    User,
    controller_conf,
    hosts,
    kerberos_conf,
    member_conf,
    password_flaw,
    provisioning,
)

DOMAIN = Domain("corp.test", (User("alice", "Pa55w0rd!", ("vpn",)),), ("NPS1",))


def test_what_a_domain_depends_on_changes_its_key() -> None:
    others = [
        replace(DOMAIN, realm="head.test"),
        replace(DOMAIN, members=("NPS1", "NPS2")),
        replace(DOMAIN, lockout_threshold=3),
        replace(DOMAIN, users=()),
        replace(DOMAIN, users=(replace(DOMAIN.users[0], password="another"),)),
        replace(DOMAIN, users=(replace(DOMAIN.users[0], disabled=True),)),
    ]
    keys = {domain.key("4.17") for domain in (DOMAIN, *others)} | {DOMAIN.key("4.18")}
    assert len(keys) == 8
    assert DOMAIN.key("4.17") == replace(DOMAIN).key("4.17")


def test_a_member_finds_the_controller_by_its_name_alone() -> None:
    assert " password server = dc1.corp.test\n" in member_conf(DOMAIN, "NPS1")
    assert " netbios name = NPS1\n" in member_conf(DOMAIN, "NPS1")
    assert hosts(DOMAIN, {"DC1": "192.168.50.5"}) == "192.168.50.5 dc1.corp.test dc1\n"
    assert "kdc = dc1.corp.test\n" in kerberos_conf(DOMAIN)


def test_the_controller_takes_ms_chapv2_and_forgets_old_passwords_at_once() -> None:
    conf = controller_conf(DOMAIN)
    assert " ntlm auth = mschapv2-and-ntlmv2-only\n" in conf
    assert " old password allowed period = 0\n" in conf
    assert "[sysvol]\n" in conf


def test_no_user_namespace_lacks_an_id_of_the_range() -> None:
    assert "range = 10000-60000\n" in member_conf(DOMAIN, "NPS1")


def test_the_program_gets_everything_and_no_repr_has_a_password() -> None:
    told = json.loads(provisioning(DOMAIN, "192.168.50.5", "secret"))
    assert (told["domain"], told["host"], told["users"][0]["name"]) == ("CORP", "dc1", "alice")
    assert "Pa55w0rd!" not in repr(DOMAIN)


@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("Secret1", True), ("Secre1", False), ("secret12", False), ("secret1!", True),
        ("ßäöüÄ12", True), ("äöüé 12", False), ("日本語Aa1", False), ("日本語Aa12", True),
        ("       ", False), ("😀😀Ab", False), ("😀😀Abc", True),
    ],
)  # fmt: skip
def test_a_new_domains_policy_wants_three_kinds(password: str, accepted: bool) -> None:
    assert (password_flaw(password) == "") is accepted
