"""`verify` of several files, of one file twice, and interrupted at every stage."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.runtime.directory import BASE, RunDirectory
from lab.runtime.handle import Handle

P2SLAB = [sys.executable, "-P", "-m", "lab.cli.main"]
SOURCE = Path(__file__).parents[2]
SMALL = """\
name: {name}
story: Two hosts of a VNet.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{app: 10.1.1.0/24}}
    hosts:
      app1: {{subnet: app, serves: [http]}}
      app2: {{subnet: app}}
expect:
{expect}
"""
REACHES = "  - {reaches: app2, host: app1, port: 80}"
LONG = "  - {reaches: app2, address: 10.1.1.99, protocol: icmp, within: 600}"
"""Three seconds, until the kernel says that nobody has the address."""
LIMIT = 60


@pytest.fixture
def name() -> Iterator[str]:
    """A name that no other test's labs have; nothing of it is left."""
    name = f"verify-{uuid.uuid4().hex[:8]}"
    yield name
    for entry in BASE.glob(f"{name}*"):
        assert not RunDirectory(entry.name).is_alive()
        RunDirectory(entry.name).remove()


def written(place: Path, name: str, *expect: str) -> str:
    place.write_text(SMALL.format(name=name, expect="\n".join(expect)))
    return str(place)


def start(*arguments: str, verb: str = "verify", **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*P2SLAB, verb, *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(*arguments: str, **env: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = start(*arguments, **env)
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def test_concurrent_files_are_reported_in_their_order(name: str, tmp_path: Path) -> None:
    fails = "  - {cannotReach: app2, host: app1, port: 80}"
    files = [
        written(tmp_path / "1.yaml", name, REACHES, "  - {reaches: app2, host: app1, port: 81}"),
        written(tmp_path / "2.yaml", name, REACHES),
        written(tmp_path / "3.yaml", name, REACHES, fails, REACHES),
    ]
    code, out, err = run(*files, "-j", "3", COLUMNS="200")
    assert code == 1, err
    asides = (" " * 8, "the machine was busy")  # what was seen, and what the machine did to it
    rows = [line for line in out.splitlines() if not line.startswith(asides)]
    assert [re.sub(r"[\d.]+ s\b", "N s", row) for row in rows] == [
        f"{name} ({files[0]})",
        "held     N s  app2 reaches host app1 port 80: 10.1.1.4:80 accepts",
        f"FAILED   N s  {files[0]}:12: app2 reaches host app1 port 81",
        "NOT HELD: 1 of 2 in N s",
        f"  logs: {RunDirectory(name).outside}/log",
        f"{name}-2 ({files[1]})",
        "held     N s  app2 reaches host app1 port 80: 10.1.1.4:80 accepts",
        "HELD: 1 of 1 in N s",
        f"{name}-3 ({files[2]})",
        "held     N s  app2 reaches host app1 port 80: 10.1.1.4:80 accepts",
        f"FAILED   N s  {files[2]}:12: app2 cannot reach host app1 port 80",
        "held     N s  app2 reaches host app1 port 80: 10.1.1.4:80 accepts",
        "NOT HELD: 2 of 3 in N s",
        f"  logs: {RunDirectory(f'{name}-3').outside}/log",
        "",
        f"NOT HELD   1 of 2       N s  {files[0]}",
        f"HELD       1 of 1       N s  {files[1]}",
        f"NOT HELD   2 of 3       N s  {files[2]}",
        "1 of 3 files held, 2 did not, 0 failed; 4 of 6 expectations in N s",
    ]
    # The logs of all are kept, also of the one that held.
    assert [entry.name for entry in sorted(BASE.glob(f"{name}*"))] == [
        name, f"{name}-2", f"{name}-3",
    ]  # fmt: skip


def test_programs_are_told_the_same_of_several_as_of_one(name: str, tmp_path: Path) -> None:
    file = written(tmp_path / "1.yaml", name, REACHES)
    one, many = (json.loads(run("--json", *[file] * n)[1]) for n in (1, 2))
    assert [verdict["topology"] for verdict in many] == [name, f"{name}-2"]
    assert all(verdict.keys() == one[0].keys() for verdict in many)


def test_a_file_that_is_verified_twice_at_once_is_so_under_two_names(
    name: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "1.yaml", name, *[LONG] * 99)
    first = start(file)
    until(first, "start services")
    second = start(file)
    assert f"lab {name} is up already: trying the name {name}-2" in until(second, "already")
    until(second, "start services")
    code, _, err = run(file, "--name", name)
    assert (code, f"lab {name} is already up" in err) == (2, True)
    for process in (first, second):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        assert process.returncode == 130


def until(process: subprocess.Popen[str], words: str) -> str:
    """The line of stderr with these words."""
    assert process.stderr
    return next(line for line in process.stderr if words in line)


def test_a_topology_that_expects_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(SMALL.format(name="none", expect="").replace("expect:\n", ""))
    code, out, err = run(str(file))
    assert (code, out) == (2, "")
    assert f"{file}:1:1: nothing is expected" in err
    assert "add, for example: expect: [" in err


SIGNALS = {
    signal.SIGINT: (130, "interrupted"),
    signal.SIGTERM: (143, "ended by SIGTERM"),
    signal.SIGHUP: (129, "its terminal was closed"),
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("files", [1, 2])
def test_an_interrupted_verify_says_what_was_seen_and_leaves_nothing(
    files: int, number: signal.Signals, name: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "1.yaml", name, REACHES, LONG)
    process = start(*[file] * files, "-j", str(files))
    labs = [name, f"{name}-2"][:files]
    for lab in labs:
        until_checking(process, lab)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    code, words = SIGNALS[number]
    assert (process.returncode, out) == (code, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"p2slab: {words}; ")
    for lab in labs:
        # The lab told us first, perhaps, of the step that was done.
        assert re.search(rf"{lab}: ([01]) of 2 seen, \1 held; its lab was taken down", last)
    assert list(BASE.glob(f"{name}*")) == []


def until_checking(process: subprocess.Popen[str], lab: str) -> None:
    """Until the lab is at its second step: the first has been seen to the end."""
    while True:
        assert process.poll() is None
        try:
            for event in Handle.open(lab).watch():
                if getattr(event, "index", None) == 0:
                    return
        except Exception:  # noqa: BLE001 (it is not there yet)
            continue


def test_an_interrupted_up_leaves_nothing(name: str, tmp_path: Path) -> None:
    file = written(tmp_path / "1.yaml", name, REACHES)
    process = start(file, verb="up")
    until(process, "build the world")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    if process.returncode == 0:  # it was ready sooner
        Handle.open(name).down()
    else:
        assert process.returncode == 130
        assert err.splitlines()[-1] == f"p2slab: interrupted; lab {name} was taken down"
    assert list(BASE.glob(f"{name}*")) == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("verb", ["status", "verify", "validate", "schema", "exec", "test"])
@pytest.mark.parametrize("stage", ["Python starts", "imports"])
def test_a_verb_that_is_interrupted_before_it_begins_says_one_line(
    stage: str, verb: str, number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "click.py").write_text(
        f"import os\nos.kill(os.getpid(), {int(number)})\nimport nothing_comes_after_this"
    )
    path = [str(tmp_path)] if stage == "imports" else []

    def held() -> None:
        """The signal is there before the program is, as the launcher holds it."""
        if stage == "Python starts":
            signal.pthread_sigmask(signal.SIG_BLOCK, [number])
            os.kill(os.getpid(), number)

    done = subprocess.run(
        [*P2SLAB, verb, "x", "y"],
        env={**os.environ, "PYTHONPATH": ":".join([*path, str(SOURCE)])},
        preexec_fn=held,
        capture_output=True,
        text=True,
        check=False,
    )
    code, words = SIGNALS[number]
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"p2slab: {words}\n")


def test_the_launcher_that_is_interrupted_before_it_begins_says_one_line() -> None:
    def held() -> None:
        """Ctrl-C is already pending."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.kill(os.getpid(), signal.SIGINT)

    argv = [str(SOURCE / "p2slab"), "root", "--json"]  # the launcher's own
    done = subprocess.run(argv, preexec_fn=held, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "p2slab: interrupted\n")


def test_the_second_interrupt_ends_at_once_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        os.kill(os.getpid(), 2)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"  # as who takes down a lab and cannot be bothered
        "os.write(2, b'too late')\n"
    )
    done = subprocess.run(
        [*P2SLAB, "status"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{SOURCE}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "p2slab: interrupted\n")
