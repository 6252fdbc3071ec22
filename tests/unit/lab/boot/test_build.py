from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.boot import layers, make
from lab.boot.build import AptWatch, Builder, PipWatch, Task
from lab.boot.cache import Cache
from lab.boot.progress import Step, step
from lab.errors import MACHINE, MachineError


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(Cache(str(tmp_path)), str(tmp_path / "tree"))


def shell(script: str, *, wanted: bool = False) -> Task:
    return Task(Step(script), ["/bin/sh", "-c", script], lambda *_: None, wanted=wanted)


def failing(builder: Builder, *says: str) -> MachineError:
    script = "".join(f"printf '%s\\n' {line!r}; " for line in says) + "exit 1"
    with pytest.raises(MachineError) as caught:
        builder.run([shell(script)])
    assert caught.value.code == MACHINE
    return caught.value


def test_no_network_is_distinguished_from_other_failures(builder: Builder, tmp_path: Path) -> None:
    error = failing(
        builder,
        "Err:1 http://deb.debian.org/debian bookworm InRelease",
        "  Temporary failure resolving 'deb.debian.org'",
        "E: apt-get update failed",
    )
    assert error.message.startswith("the package archives cannot be reached: Temporary failure")
    assert "root import" in (error.remedy or "")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_distinguished_from_other_failures(builder: Builder, tmp_path: Path) -> None:
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


def test_sequences_run_concurrently_and_each_in_its_order(builder: Builder, tmp_path: Path) -> None:
    """Each half of the first waits for a half of the second."""
    here = f"cd {tmp_path}; mkfifo a b 2>/dev/null;"
    (tmp_path / "log").touch()
    first = [shell(f"{here} echo 1 >> log; : > a"), shell(f"{here} : < b; echo 3 >> log")]
    second = [shell(f"{here} : < a; echo 2 >> log; : > b")]
    builder.run(first, second)
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]


def test_a_tree_can_be_read_by_all_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the launcher makes itself, and what the programs make that it starts."""
    monkeypatch.setattr(make, "as_pid_one", lambda work, **_: work())
    monkeypatch.setattr(make, "_label", lambda *_: None)
    cache, tree = Cache(str(tmp_path)), tmp_path / "root-aaaa"

    def fill(new: str) -> None:
        Path(new, "lib").mkdir()
        Builder(cache, new).run([shell(f": > {new}/lib/python")])

    mask = os.umask(0o077)
    try:
        make.fill_root(cache, str(tree), fill, "aaaa", "/src")
    finally:
        os.umask(mask)
    modes = [path.stat().st_mode & 0o777 for path in (tree, tree / "lib", tree / "lib/python")]
    assert modes == [0o755, 0o755, 0o644]


def test_when_one_fails_the_others_are_killed(builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="sh failed"):
        builder.run([shell(f"echo $$ > {tmp_path}/pid; sleep 1000; :")], [
            shell(f"until test -s {tmp_path}/pid; do :; done; exit 1")])  # fmt: skip
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_is_only_wanted_may_fail(builder: Builder, capsys: pytest.CaptureFixture[str]) -> None:
    builder.run([shell("echo no luck; exit 1", wanted=True), shell("true")])
    assert "no luck; they are made when they are needed" in capsys.readouterr().err


def test_a_step_prints_its_title_seconds_and_result(capsys: pytest.CaptureFixture[str]) -> None:
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
        builder.base()
    log = tmp_path / "make.log"
    assert f"argument: --include={','.join(layers.debian_packages('base'))}" in log.read_text()
    assert SECRET not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    kept = (tmp_path / "kept").read_text().splitlines()
    assert kept[0] == 'Acquire::http::Proxy "http://carol:s3cret@proxy:3128";'
    assert (tmp_path / "kept.mode").read_text() == "600\n"
    if mirror:
        assert kept[-1] == "machine http://mirror.test/debian login dave password s3cret!"
        assert "argument: http://mirror.test/debian" in log.read_text()
    assert list(tmp_path.glob("apt-*")) == []


APT = [
    ("0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.", "", 0),
    ("Get:3 http://x bookworm/main amd64 openvpn amd64 2.6 [1 kB]", "fetching openvpn", 1),
    ("Reading package lists...", "fetching openvpn", 1),
    ("Unpacking openvpn (2.6.14) ...", "unpacking openvpn", 2),
    ("Setting up openvpn (2.6.14) ...", "setting up openvpn", 3),
]


def test_what_apt_says_becomes_a_short_note_and_a_part_of_the_whole() -> None:
    step, watch = Step("Debian"), AptWatch()
    for line, note, done in APT:
        watch(step, line)
        assert (step.note, step.done) == (note, pytest.approx(done / 6))


PIP = [
    ("Collecting aiohttp==3.14.5", "collecting aiohttp==3.14.5", 0.25),
    ("  Downloading https://x/y/aiohttp-3.whl (1 MB)", "collecting aiohttp==3.14.5", 0.25),
    ("Installing collected packages: a, b", "installing", 0.25),
    ("Successfully installed a", "installing", 0.25),
]


def test_what_pip_says_becomes_a_short_note_and_a_part_of_the_whole() -> None:
    step, watch = Step("Python"), PipWatch(2)
    for line, note, done in PIP:
        watch(step, line)
        assert (step.note, step.done) == (note, done)
