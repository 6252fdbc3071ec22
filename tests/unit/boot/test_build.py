from __future__ import annotations

from pathlib import Path

import pytest

from lab.boot import build
from lab.boot.build import Builder
from lab.boot.cache import Cache
from lab.boot.progress import step
from lab.errors import MACHINE, MachineError


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(Cache(str(tmp_path)), str(tmp_path / "tree"))


def failing(builder: Builder, *says: str) -> MachineError:
    script = "".join(f"printf '%s\\n' {line!r}; " for line in says) + "exit 1"
    with pytest.raises(MachineError) as caught, step("a step") as progress:
        builder.run(["/bin/sh", "-c", script], progress, str.strip)
    assert caught.value.code == MACHINE
    return caught.value


def test_no_network_is_told_from_other_failures(builder: Builder, tmp_path: Path) -> None:
    error = failing(
        builder,
        "Err:1 http://deb.debian.org/debian bookworm InRelease",
        "  Temporary failure resolving 'deb.debian.org'",
        "E: apt-get update failed",
    )
    assert error.message.startswith("the package archives cannot be reached: Temporary failure")
    assert "root import" in (error.remedy or "")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_from_other_failures(builder: Builder, tmp_path: Path) -> None:
    error = failing(builder, "E: Failed to fetch X", "write error: No space left on device")
    assert error.message.startswith("the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_any_other_failure_quotes_the_complaint_and_keeps_all_that_was_said(
    builder: Builder, tmp_path: Path
) -> None:
    error = failing(builder, "working", "E: Package openvpnn has no candidate", "done")
    assert "sh failed" in error.message
    assert "E: Package openvpnn has no candidate" in error.message
    assert (tmp_path / "make.log").read_text().splitlines()[0] == "working"


def test_a_step_tells_its_title_seconds_and_result(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Debian") as progress:
        progress.result = "288 MB"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].split() == ["Debian", "..."]
    assert lines[1].split()[0] == "Debian"
    assert lines[1].endswith("s  288 MB")


SECRET = "s3cret"
PROGRAMS = {
    "apt-config": """#!/bin/sh
echo 'Acquire::http::Proxy "http://carol:s3cret@proxy:3128";'
""",
    # It tells its arguments, and keeps what the files say that are named in them.
    "mmdebstrap": r"""#!/bin/sh
for word; do
    echo "argument: $word"
    case "$word" in *#include*)
        file=${word#*\"}; file=${file%\"*}
        stat -c '%a' "$file" > "$KEPT.mode"
        cat "$file" > "$KEPT"
        netrc=$(sed -n 's/^Dir::Etc::netrc "\(.*\)";$/\1/p' "$file")
        test -z "$netrc" || cat "$netrc" >> "$KEPT";;
    esac
done
echo "Get:1 http://carol:s3cret@proxy:3128 bookworm InRelease"
echo "E: it cannot"
exit 1
""",
}


@pytest.mark.parametrize("mirror", ["", "http://dave:s3cret%21@mirror.test/debian"])
def test_passwords_of_proxy_and_mirror_are_in_files_of_ours_until_it_has_failed(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))
    monkeypatch.setenv("P2SLAB_MIRROR", mirror)
    (tmp_path / "apt-of-a-killed-making").mkdir()
    (tmp_path / "make.log").touch(mode=0o644)
    with pytest.raises(MachineError, match="it cannot"):
        builder.packages(["openvpn"])
    log = tmp_path / "make.log"
    assert "argument: --include=openvpn" in log.read_text()
    assert SECRET not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    kept = (tmp_path / "kept").read_text().splitlines()
    assert kept[0] == 'Acquire::http::Proxy "http://carol:s3cret@proxy:3128";'
    assert (tmp_path / "kept.mode").read_text() == "600\n"
    if mirror:
        assert kept[-1] == "machine http://mirror.test/debian login dave password s3cret!"
        assert "argument: http://mirror.test/debian" in log.read_text()
    assert list(tmp_path.glob("apt-*")) == []


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("Get:3 http://x bookworm/main amd64 openvpn amd64 2.6 [1 kB]", "downloading openvpn"),
        ("Unpacking openvpn (2.6.14) ...", "unpacking openvpn"),
        ("Setting up openvpn (2.6.14) ...", "setting up openvpn"),
        ("Reading package lists...", ""),
    ],
)
def test_what_apt_says_becomes_a_short_note(line: str, note: str) -> None:
    assert build._apt_note(line) == note


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("Collecting aiohttp==3.14.5", "collecting aiohttp==3.14.5"),
        ("  Downloading https://x/y/aiohttp-3.whl (1 MB)", "downloading aiohttp-3.whl"),
        ("Installing collected packages: a, b", "installing"),
        ("Successfully installed a", ""),
    ],
)
def test_what_pip_says_becomes_a_short_note(line: str, note: str) -> None:
    assert build._pip_note(line) == note
