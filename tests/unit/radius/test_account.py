"""The account that belongs to a certificate: what is asked, and what an answer means."""

from __future__ import annotations

from pathlib import Path

import pytest

from radius import account
from radius.account import RefusedError, entries, judge, search_filter

ENTRY = {
    "distinguishedName": ["CN=alice,CN=Users,DC=corp,DC=test"],
    "userAccountControl": ["512"],
    "accountExpires": [str(0x7FFFFFFFFFFFFFFF)],
    account.COMPUTED: ["0"],
}
NOW = 1_800_000_000


def filetime(seconds: int) -> str:
    return str((seconds + account.NT_EPOCH) * 10_000_000)


@pytest.mark.parametrize(
    ("name", "principal", "term"),
    [
        ("alice", "", "sAMAccountName=alice"),
        ("Alice Smith", "alice@corp.test", "userPrincipalName=alice@corp.test"),
        ("CORP\\alice", "", "sAMAccountName=alice"),
        ("a*)(cn=*", "", "sAMAccountName=a\\2a\\29\\28cn\\3d\\2a"),
        ("ä", "", "sAMAccountName=\\c3\\a4"),
    ],
)
def test_the_principal_name_or_else_the_users_name_is_the_account(
    name: str, principal: str, term: str
) -> None:
    found = search_filter(name, principal, "CORP")
    assert found == f"(&(objectCategory=person)(objectClass=user)({term}))"


def test_another_domains_user_is_unknown() -> None:
    with pytest.raises(RefusedError, match="0xc0000064"):
        search_filter("OTHER\\alice", "", "CORP")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"userAccountControl": ["514"]}, "disabled"),
        ({"accountExpires": [filetime(NOW - 1)]}, "expired"),
        ({account.COMPUTED: ["16"]}, "locked out"),
    ],
)
def test_an_account_that_may_not_log_in_is_refused(changes: dict[str, list[str]], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        judge(ENTRY | changes, NOW)


@pytest.mark.parametrize(
    "changes", [{}, {"accountExpires": ["0"]}, {"accountExpires": [filetime(NOW + 1)]}]
)
def test_an_account_that_may_log_in_is_let_in(changes: dict[str, list[str]]) -> None:
    judge(ENTRY | changes, NOW)


def test_an_entry_is_read_with_all_values_of_an_attribute() -> None:
    text = "Got 2 replies\n\ndistinguishedName: CN=a\ntokenGroups: S-1-5-1\ntokenGroups: S-1-5-2\n"
    assert entries(text + "\nuid: x: y\n") == [
        {"distinguishedName": ["CN=a"], "tokenGroups": ["S-1-5-1", "S-1-5-2"]},
        {"uid": ["x: y"]},
    ]
    assert entries("Got 0 replies\n\n") == []


@pytest.mark.parametrize("text", ["", "kinit failed\n", "Got 2 replies\n\nuid: x\n"])
def test_what_is_no_answer_lets_nobody_in(text: str) -> None:
    with pytest.raises(RefusedError, match="0xc000005e"):
        entries(text)


@pytest.mark.parametrize(
    "found",
    [[], [ENTRY, ENTRY], [{}], [{key: ENTRY[key] for key in ENTRY if key != account.COMPUTED}]],
    ids=["nobody", "two", "an empty one", "a part"],
)
def test_the_program_lets_in_one_whole_account_only(
    found: list[dict[str, list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = tmp_path / "owner"
    answers = found
    monkeypatch.setattr(account, "ask", lambda *_: answers)
    asked.write_text(f"{b'alice'.hex()} \n")
    assert account.main(str(asked), "CORP") == 1
    assert "0xc00000" in capsys.readouterr().out
    assert asked.read_text() == ""
    answers = [ENTRY]
    asked.write_text(f"{b'alice'.hex()} {b'alice@corp.test'.hex()}\n")
    assert account.main(str(asked), "CORP") == 0


@pytest.mark.parametrize(("groups", "code"), [(["S-1-5-21-1"], 0), (["S-1-5-21-11"], 1), ([], 1)])
def test_a_required_group_is_looked_up(
    groups: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(what: str, *_: str) -> list[dict[str, list[str]]]:
        return [ENTRY] if what == "search" else [{"tokenGroups": groups}]

    monkeypatch.setattr(account, "ask", ask)
    (tmp_path / "owner").write_text(f"{b'alice'.hex()} \n")
    assert account.main(str(tmp_path / "owner"), "CORP", "S-1-5-21-1") == code
