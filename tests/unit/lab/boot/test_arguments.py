from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.boot import enter
from lab.boot.arguments import Call, load_table, read, refuse_missing, shown_elsewhere
from lab.errors import UsageError

TABLE = load_table(str(Path(__file__).parents[4]))


def call(*words: str) -> Call:
    return read([*words], TABLE)


def test_a_call_is_taken_apart_at_its_verb() -> None:
    made = call("verify", "a.yaml", "--json")
    assert (made.verb, made.own) == ("verify", ["a.yaml", "--json"])
    assert made.arguments == ["verify", "a.yaml", "--json"]
    assert made.install


@pytest.mark.parametrize(
    ("words", "handed_on"),
    [
        (["--no-install", "up", "a.yaml"], ["up", "a.yaml"]),
        (["up", "--no-install", "a.yaml"], ["up", "a.yaml"]),
        (["up", "a.yaml", "--no-install"], ["up", "a.yaml"]),
        (["verify", "--name", "x", "a.yaml", "--no-install"], ["verify", "--name", "x", "a.yaml"]),
        (["root", "make", "--no-install"], ["root", "make"]),
        (["root", "--no-install", "make"], ["root", "make"]),
        (["doctor", "--no-install"], ["doctor"]),
        (["test", "--no-install", "-k", "x"], ["test", "-k", "x"]),
        (["test", "-k", "x", "--no-install"], ["test", "-k", "x"]),
        (["exec", "--no-install", "alice", "ls"], ["exec", "alice", "ls"]),
        (["pki", "--no-install", "root", "x"], ["pki", "root", "x"]),
    ],
)
def test_no_install_is_obeyed_at_any_position(words: list[str], handed_on: list[str]) -> None:
    made = call(*words)
    assert not made.install
    assert made.arguments == handed_on


@pytest.mark.parametrize(
    "words",
    [
        ["exec", "alice", "apt", "--no-install"],
        ["exec", "alice", "--", "apt", "--no-install"],
        ["test", "--", "--no-install"],
    ],
)
def test_the_arguments_of_a_program_are_not_parsed(words: list[str]) -> None:
    made = call(*words)
    assert made.install
    assert made.arguments == words


@pytest.mark.parametrize(
    ("words", "command"),
    [([], ""), (["-h"], ""), (["help"], ""), (["help", "pki"], "pki"), (["up", "--help"], "up"),
     (["up", "a.yaml", "-h"], "up"), (["pki", "root", "--help"], "pki root"),
     (["test", "-k", "x", "--help"], "test"), (["exec", "--help"], "exec")],
)  # fmt: skip
def test_help_is_asked_for_of_the_command_it_stands_behind(words: list[str], command: str) -> None:
    made = call(*words)
    assert (made.asked, made.command) == ("help", command)
    assert TABLE[command]["help"].startswith(f"Usage: {f'p2slab {command}'.strip()}")


def test_a_programs_help_is_the_programs() -> None:
    assert call("exec", "alice", "ip", "-h").asked == ""
    assert call("version").asked == call("--version").asked == "version"


@pytest.mark.parametrize(
    ("words", "said", "remedy"),
    [
        (["verfy", "x"], "no verb 'verfy'", "'verify'"),
        (["--verbos"], "no option '--verbos'", "'--version'"),
        (["verify", "--keeep", "x"], "verify: there is no option '--keeep'", "'--keep'"),
        (["pki", "rooot"], "pki: there is no word 'rooot'", "'root'"),
        (["pki"], "is missing", "pki --help"),
        (["verify"], "FILES... is missing", "verify --help"),
        (["exec", "alice"], "CMD... is missing", "exec --help"),
        (["exec", "--name"], "--name needs a value", "exec --help"),
        (["up", "--name", "--no-install"], "--name needs a value", "up --help"),
        (["up", "a", "--json=1"], "--json takes no value", "up --help"),
        (["up", "a", "b"], "unexpected argument 'b'", "up --help"),
        (["pki", "root", "x", "--days", "soon"], "'soon' is not a whole number", "--help"),
        (["pki", "root", "x", "--days=soon"], "'soon' is not a whole number", "--help"),
        (["test", "--fuzz", "long"], "'long' is not a number", "--help"),
        ([__file__], "there is no verb", f"p2slab verify {__file__}"),
    ],
)
def test_a_wrong_command_line_is_reported_with_a_remedy(
    words: list[str], said: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        call(*words)
    assert said in caught.value.message
    assert remedy in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("words", "lab"),
    [
        (["connect", "alice", "--name", "office"], "office"),
        (["exec", "--name=office", "alice", "ls"], "office"),
        (["exec", "alice", "ls", "--name=x"], None),
        (["down", "office"], "office"),
        (["pki", "root", "office"], None),
    ],
)
def test_the_lab_that_is_named_is_known(words: list[str], lab: str | None) -> None:
    assert call(*words).lab == lab


FILES = [
    *(
        [*command.split(), ""]
        for command, rules in TABLE.items()
        if any(rule["file"] for rule in rules["arguments"])
    ),
    *(
        [*command.split(), *words]
        for command, rules in TABLE.items()
        for option, kind in rules["options"].items()
        for words in ([option, ""], [f"{option}="])
        if kind == "path"
    ),
]


@pytest.mark.parametrize("words", FILES, ids=" ".join)
def test_an_empty_word_names_no_file(words: list[str]) -> None:
    with pytest.raises(UsageError, match="an empty word is no file's name") as caught:
        call(*words)
    assert words[0] in caught.value.message
    assert f"p2slab {words[0]}" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("words", "unprivileged", "builds_lab"),
    [
        (["validate", "a.yaml"], True, False),
        (["pki", "root", "x"], True, False),
        (["verify", "a.yaml"], False, True),
        (["up", "a.yaml", "--dry-run"], False, False),
        (["exec", "alice", "ip", "-h"], False, False),
        (["test"], False, True),
        (["test", "tests/unit"], False, False),
    ],
)
def test_what_a_verb_needs(words: list[str], unprivileged: bool, builds_lab: bool) -> None:
    made = call(*words)
    assert (made.row.unprivileged, made.builds_lab) == (unprivileged, builds_lab)


@pytest.mark.parametrize(
    ("words", "moved", "directory"),
    [
        (["verify", "/etc/lab.yaml"], "/var/host/etc/lab.yaml", "/etc"),
        (["verify", "/var/tmp/x"], "/var/host/var/tmp/x", "/var/tmp"),
        (["verify", "--", "/usr/lib/x.yaml"], "/var/host/usr/lib/x.yaml", "/usr/lib"),
        (["pki", "root", "x", "--out=/run/no/such"], "--out=/var/host/run/no/such", "/run"),
        (["pki", "root", "x", "--out", "/run/no/such"], "/var/host/run/no/such", "/run"),
        (["pki", "client", "x", "--issuer", "y", "--password-file", "/run/no/such"],
         "/var/host/run/no/such", "/run"),
    ],
)  # fmt: skip
def test_a_file_that_the_private_root_hides_is_shown_elsewhere(
    words: list[str], moved: str, directory: str
) -> None:
    arguments, directories = shown_elsewhere(call(*words), ["/home/me"])
    assert arguments == [*words[:-1], moved]
    assert directories == [directory]


def test_a_link_or_a_relative_name_that_leads_there_is_treated_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link.yaml").symlink_to("/etc/hosts")
    link = str(tmp_path / "link.yaml")
    assert shown_elsewhere(call("verify", link), [])[0][1] == "/var/host/etc/hosts"
    monkeypatch.chdir("/")
    for name in ("etc/hosts", "/etc/hosts"):
        assert shown_elsewhere(call("verify", name), ["/"])[0][1] == "/var/host/etc/hosts"
    monkeypatch.chdir("/usr/share")
    moved = shown_elsewhere(call("verify", "../lib/os-release"), ["/usr/share"])[0][1]
    assert moved == "/var/host/usr/lib/os-release"


def test_a_hidden_link_that_leads_out_is_named_by_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path.resolve()
    for name in ("hidden", "seen"):
        (place / name).mkdir()
    (place / "hidden/link").symlink_to("../seen")
    monkeypatch.setattr(enter, "REPLACED", (str(place / "hidden"),))
    link = str(place / "hidden/link")
    assert shown_elsewhere(call("verify", f"{link}/x"), [])[0][1] == str(place / "seen/x")
    assert enter.inside(link) == str(place / "seen")
    assert not enter.is_replaced(str(place / "seen"))


def test_a_relative_name_in_a_directory_that_stays_visible_is_left_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/usr/share")
    name = os.listdir("/usr/share")[0]  # noqa: PTH208 (a name is wanted)
    assert shown_elsewhere(call("verify", name), ["/usr/share"]) == (["verify", name], [])


@pytest.mark.parametrize(
    "words",
    [
        ["exec", "alice", "cat", "/etc/hosts"],
        ["verify", "x.yaml", "--name", "/etc"],
        ["verify", "/home/me/lab.yaml", "/tmp/lab.yaml", "/etcetera"],
        ["test", "/etc/hosts"],
    ],
)
def test_files_of_a_node_and_ordinary_files_stay_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # the checkout itself may lie under /var
    assert shown_elsewhere(call(*words), []) == (words, [])


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    for name, said in (("none.yaml", "No such file"), (".", "is a directory")):
        with pytest.raises(UsageError, match=said):
            refuse_missing(call("verify", str(tmp_path / name)))
    os.mkfifo(tmp_path / "fifo")
    refuse_missing(call("verify", str(tmp_path / "fifo")))
    refuse_missing(call("pki", "root", "x", "--out", str(tmp_path / "later")))


@pytest.mark.parametrize("words", [["bench"], ["bench", "plain-tls"]])
def test_benchmarks_are_listed_where_none_is_named_or_a_wrong_one(words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        read(words, TABLE)
    said = str(refused.value)
    assert all(name in said for name in ("lab", "up", "sstp-soak", "ike-crowd"))
    assert "radius-labs" not in said
