from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.boot.arguments import Call, refuse_hidden_files
from lab.errors import USAGE, UsageError


def test_a_call_is_taken_apart_at_its_verb() -> None:
    call = Call.of(["verify", "a.yaml", "--json"])
    assert (call.verb, call.own) == ("verify", ["a.yaml", "--json"])
    assert call.arguments == ["verify", "a.yaml", "--json"]
    assert call.install


def test_no_install_before_the_verb_is_the_launchers_own() -> None:
    call = Call.of(["--no-install", "up", "a.yaml"])
    assert not call.install
    assert call.arguments == ["up", "a.yaml"]


def test_no_install_after_the_verb_is_handed_on() -> None:
    call = Call.of(["root", "make", "--no-install"])
    assert call.install
    assert call.own == ["make", "--no-install"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_needs_neither_verb_nor_privileges(arguments: list[str]) -> None:
    call = Call.of(arguments)
    assert call.verb == ""
    assert call.wants_help_only
    assert call.unprivileged


@pytest.mark.parametrize(
    ("arguments", "unprivileged"),
    [
        (["validate", "a.yaml"], True),
        (["schema"], True),
        (["verify", "--help"], True),
        (["verify", "a.yaml"], False),
        (["exec", "alice", "ip", "-h"], False),
    ],
)
def test_only_reading_verbs_do_without_privileges(arguments: list[str], unprivileged: bool) -> None:
    assert Call.of(arguments).unprivileged is unprivileged


def refused(arguments: list[str], *shown: str) -> str:
    with pytest.raises(UsageError) as caught:
        refuse_hidden_files(Call.of(arguments), [*shown])
    assert caught.value.code == USAGE
    assert "home directory" in (caught.value.remedy or "")
    return caught.value.message


@pytest.mark.parametrize(
    "word", ["/etc/lab.yaml", "/var/x", "/usr/share/x.yaml", "/run/x", "--out=/etc/x", "/bin/x"]
)
def test_a_file_of_the_machine_that_the_private_root_hides_is_refused(word: str) -> None:
    assert "private root's own" in refused(["verify", word])


def test_a_link_or_a_relative_name_that_leads_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link.yaml").symlink_to("/etc/hosts")
    assert "/etc" in refused(["verify", str(tmp_path / "link.yaml")])
    monkeypatch.chdir("/usr/share")
    assert "/usr" in refused(["verify", "../lib/os-release"])


def test_a_relative_name_in_a_directory_that_stays_visible_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/usr/share")
    name = os.listdir("/usr/share")[0]  # noqa: PTH208 (a name is wanted)
    refuse_hidden_files(Call.of(["verify", name]), ["/usr/share"])
    refused(["verify", f"/usr/share/{name}"], "/usr/share")


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec", "alice", "cat", "/etc/hosts"],
        ["shell", "alice", "/usr/bin/bash"],
        ["verify", "topologies/quickstart.yaml", "--name", "etc"],
        ["verify", "/home/me/lab.yaml", "/tmp/lab.yaml", "/etcetera"],
    ],
)
def test_files_of_a_node_and_ordinary_files_are_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # the checkout itself may lie under /var
    refuse_hidden_files(Call.of(arguments), [])
