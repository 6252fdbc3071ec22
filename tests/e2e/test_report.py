"""`verify --report` on real labs: what is in it, and what happens where it cannot be written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from lab.runtime.directory import BASE, RunDirectory
from lab.runtime.handle import Handle
from tests.rigs.json_schema import Schema
from tests.rigs.junit_schema import flaws

P2SLAB = [sys.executable, "-P", "-m", "lab.cli.main"]
SOURCE = Path(__file__).parents[2]
LIMIT = 120
SECRET = "what both ends know"
WORLD = f"""\
name: NAME
story: A site's tunnel, and a port where <b>nobody</b> listens.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app, serves: [http]}}}}
gateways:
  gw: {{vnet: contoso, properties: {{sku: {{name: VpnGw1}}}}}}
sites:
  office:
    lan: 192.168.50.0/24
    connection: {{to: gw, sharedKey: "{SECRET}"}}
    hosts: {{pc: {{}}}}
expect:
  - {{tunnel: office, is: Connected}}
  - {{reaches: pc, host: app1, port: 80}}
  - {{reaches: pc, host: app1, port: 81}}
"""
SMALL = """\
name: NAME
story: Two hosts of a VNet.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {app: 10.1.1.0/24}
    hosts: {app1: {subnet: app, serves: [http]}, app2: {subnet: app}}
expect:
  - {reaches: app2, host: app1, protocol: icmp}
  - {reaches: app2, host: app1, port: 80}
"""
FULL = """
import os, sys
from gateway.common import calls
calls.unshare(calls.NEWNS)
calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
calls.mount("small", sys.argv[1], "tmpfs", 0, f"size={sys.argv[2]}")
os.execv(sys.executable, sys.argv[3:])
"""
"""A program for which a directory is a small tmpfs."""


@pytest.fixture
def name() -> Iterator[str]:
    """A name that no other test's labs have; nothing of it is left."""
    name = f"report-{uuid.uuid4().hex[:8]}"
    yield name
    for entry in BASE.glob(f"{name}*"):
        assert not RunDirectory(entry.name).is_alive()
        RunDirectory(entry.name).remove()


def written(place: Path, name: str, text: str) -> str:
    place.write_text(text.replace("NAME", name))
    return str(place)


def run(*arguments: str, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = subprocess.run(
        [*before, *P2SLAB, "verify", *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_topology_that_fails_is_told_in_every_form(name: str, tmp_path: Path) -> None:
    file = written(tmp_path / "world.yaml", name, WORLD)
    code, out, err = run(file, "--report", str(tmp_path / "report"))
    assert code == 1, err
    assert "2 steps, lines 16 to 17" in out
    assert out.count(f"{file}:18: ") == 1
    assert f"report: {tmp_path}/report/index.html" in err
    (document,) = json.loads((tmp_path / "report/report.json").read_text())
    schema = json.loads((SOURCE / "docs/report.schema.json").read_text())
    assert Schema(schema).flaws([document]) == []
    failed = document["results"][2]
    assert (failed["place"], failed["explanation"]["layer"]) == (f"{file}:18", "service")
    assert all(row["began"] > 1e9 for row in (*document["results"], *document["stages"]))
    root = fromstring((tmp_path / "report/junit.xml").read_bytes())
    assert flaws(root) == []
    assert [case.find("failure") is None for case in root.iter("testcase")] == [True, True, False]
    page = (tmp_path / "report/index.html").read_text()
    for words in ("● tunnel Connected", "✗ step 3: ", "gw charon",
                  failed["explanation"]["sentence"], "<b>pc</b>",
                  "where &lt;b&gt;nobody&lt;/b&gt; listens"):  # fmt: skip
        assert words in page
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "report").iterdir())


def test_several_files_have_a_page_each_and_json_is_the_same(name: str, tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.yaml", f"{name}-{n}", SMALL) for n in "ab"]
    code, out, err = run(*files, "--report", str(tmp_path / "report"), "--json")
    assert code == 0, err
    there = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert there == [".p2slab-report", f"1-{name}-a.html", f"2-{name}-b.html", "index.html",
                     "junit.xml", "report.json"]  # fmt: skip
    assert (tmp_path / "report/report.json").read_text() == out
    index = (tmp_path / "report/index.html").read_text()
    assert "2 of 2 files held" in index
    assert f'href="2-{name}-b.html"' in index
    code, _, err = run(files[0], "--report", str(tmp_path / "report"))
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        ".p2slab-report", "index.html", "junit.xml", "report.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("world.yaml", "it is no directory"),
        ("/proc/nowhere", "No such file or directory"),
        ("", "belong to no report"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_run(
    place: str, words: str, name: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "world.yaml", name, SMALL)
    code, out, err = run(file, "--report", str(tmp_path / place))
    assert (code, out) == (2, "")
    assert words in err
    assert "build the world" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["world.yaml"]


def test_a_second_run_into_the_same_directory_is_refused_before_it_begins(
    name: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "world.yaml", name, SMALL)
    into = ("--report", str(tmp_path / "report"))
    first = subprocess.Popen(
        [*P2SLAB, "verify", file, *into, "--keep", "--name", name],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
    )
    assert first.stderr
    assert first.stderr.readline()  # it has its directory, and builds its lab
    first.send_signal(signal.SIGSTOP)
    try:
        code, out, err = run(file, *into, "--name", f"{name}-2")
        assert (code, out) == (2, "")
        assert f"--report {tmp_path}/report is in use" in err
        assert not RunDirectory(f"{name}-2").path.exists()
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=LIMIT)
    try:
        assert first.returncode == 0
        assert (tmp_path / "report/junit.xml").is_file()
        assert run(file, *into, "--name", f"{name}-2")[0] == 0  # though its lab is still up
    finally:
        Handle.open(name).down()


@pytest.mark.parametrize(("port", "own", "code"), [(80, 0, 3), (81, 1, 1)])
def test_a_full_disk_hides_neither_the_verdict_nor_its_code(
    port: int, own: int, code: int, name: str, tmp_path: Path
) -> None:
    text = SMALL.replace("port: 80}\n", f"port: {port}}}\n")
    file = written(tmp_path / "world.yaml", name, text)
    small = tmp_path / "small"
    small.mkdir()
    before = (sys.executable, "-P", "-c", FULL, str(small), "8k")
    done, out, err = run(file, "-v", "--report", str(small / "report"), before=before)
    assert done == code, err
    assert f"{2 - own} of 2 in " in out
    assert out.count("\nheld ") == 2 - own
    assert f"p2slab: the report is not whole: {small}/report/index.html: No space left" in err
    assert "try: free some space" in err
    assert f"the run itself ended with exit code {own}" in err
    assert "Traceback" not in err
