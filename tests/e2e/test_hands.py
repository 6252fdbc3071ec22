"""The verbs for daily work, as a person calls them, on one lab; and their examples."""

from __future__ import annotations

import io
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.boot.ending import INTERRUPTED
from lab.boot.verbs import VERBS
from lab.errors import EXPECTATION_FAILED, HELD, USAGE
from lab.runtime.directory import RunDirectory
from lab.runtime.handle import Handle
from tests.rigs.transcript import run as transcript

P2SLAB = [sys.executable, "-P", "-m", "lab.cli.main"]
SOURCE = Path(__file__).parents[2]
LIMIT = 120
OF_THE_LAB = ["connect", "check", "logs", "events", "profile", "cp", "exec", "update", "disconnect",
              "revoke", "reinstate", "hangup", "restart", "status", "shell"]  # fmt: skip
"""Verbs whose examples are run, in this order, on one lab."""


def start(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*P2SLAB, *arguments],
        cwd=cwd or SOURCE,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "300"},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


@contextmanager
def quickstart(name: str) -> Iterator[Handle]:
    """The topology's lab, up under a name that begins with this one."""
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    code, _, err = run("up", "topologies/quickstart.yaml", "--name", name)
    assert code == HELD, err
    handle = Handle.open(name)
    yield handle
    handle.down()


@pytest.fixture(scope="module")
def lab() -> Iterator[Handle]:
    with quickstart("hands") as handle:
        yield handle


def on(lab: Handle, verb: str, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    return run(verb, "--name", lab.name, *arguments, cwd=cwd)


def test_a_client_connects_is_revoked_and_comes_back(lab: Handle) -> None:
    code, out, err = on(lab, "connect", "bob")
    assert (code, out.startswith("bob connects: OpenVPN, 172.16.201.")) == (HELD, True), err
    assert "bob openvpn: " in err
    assert "Initialization Sequence Completed" in err
    code, out, _ = on(lab, "connect", "bob")
    assert (code, "is connected already" in out) == (HELD, True)
    assert on(lab, "revoke", "bob")[0] == HELD
    assert on(lab, "check", "bob disconnected because revoked")[0] == HELD
    code, out, err = on(lab, "connect", "bob")
    assert (code, out) == (EXPECTATION_FAILED, "")
    assert "bob connects: refused: OpenVPN: AUTH" in err
    said = on(lab, "logs", "contoso-gw", "gateway")[1]
    assert "OpenVPN refused" in said
    assert "is revoked" in said
    assert on(lab, "reinstate", "bob")[0] == HELD
    assert on(lab, "connect", "bob", "--quiet")[::2] == (HELD, "")
    (result,) = json.loads(on(lab, "disconnect", "bob", "--json")[1])
    assert (result["verb"], result["held"]) == ("disconnect", True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("connect", "alise"), USAGE, "did you mean 'alice'?"),
        (("connect", "alise", "bbo"), USAGE, "step 2: there is no client 'bbo'"),
        (("connect", "bob", "--over", "SSTP"), USAGE, "'bob' cannot dial SSTP"),
        (("connect", "bob", "--over", "SSPT"), USAGE, "did you mean 'SSTP'?"),
        (("hangup", "contoso-gw"), USAGE, "there is no client 'contoso-gw'"),
        (("update", "contoso", "{}"), USAGE, "did you mean 'contoso-gw'?"),
        (("update", "contoso-gw", "{a"), USAGE, "PROPERTIES:1:"),
        (("update", "contoso-gw"), USAGE, "give PROPERTIES or --file"),
        (("update", "contoso-gw", "{sku: 7}"), EXPECTATION_FAILED, "contoso-gw: "),
        (("check", "bob reachs app1:80"), USAGE, "did you mean 'reaches'?"),
        (("check", "bob reaches app9:80"), USAGE, "there is no node 'app9'"),
        (("check", "--step", "99"), USAGE, "there is no step 99"),
        (("check", "-k", "alice", "bob connects"), USAGE, "give one of them"),
        (("logs", "alise"), USAGE, "did you mean 'alice'?"),
        (("logs", "contoso-gw", "charn"), USAGE, "did you mean 'charon'?"),
        (("logs", "--since", "7"), USAGE, "--since: '7' is not a time"),
        (("profile", "contoso-g"), USAGE, "did you mean 'contoso-gw'?"),
        (("profile", "contoso-gw", "--out", "/nowhere/x.zip"), USAGE, "cannot be written"),
        (("cp", "alice:/etc/none", "."), USAGE, "no such file"),
        (("cp", "alice:etc/hosts", "."), USAGE, "must be absolute"),
        (("cp", "a", "b"), USAGE, "one of FROM and TO must be NODE:PATH"),
        (("cp", "/nowhere", "alice:/tmp"), USAGE, "/nowhere: No such file"),
        (("cp", "README.md", "alice:/usr/x"), USAGE, "Read-only file system"),
        (("exec", "alice,alise", "true"), USAGE, "did you mean 'alice'?"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_a_code(
    arguments: tuple[str, ...], code: int, words: str, lab: Handle
) -> None:
    ended, out, err = on(lab, *arguments)
    assert (ended, out) == (code, ""), err
    assert words in err
    assert "Traceback" not in err


def test_a_lab_that_does_not_run_is_reported_by_every_verb() -> None:
    for verb in ("connect alice", "logs", "events", "profile x", "check", "cp a x:/b"):
        code, _, err = run(*shlex.split(verb), "--name", "nosuch")
        assert (code, "nosuch" in err) == (USAGE, True), verb


def test_an_empty_word_is_no_labs_name_and_does_not_mean_the_only_one() -> None:
    for verb in ("status", "down"):
        code, _, err = run(verb, "")
        assert (code, "'' cannot be a lab's name" in err) == (USAGE, True), verb


def test_steps_of_a_file_and_of_the_topology_are_checked(lab: Handle, tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    file.write_text("- {connects: alice}\n- alice reaches app1:81\n")
    code, out, _ = on(lab, "check", "-f", str(file))
    assert code == EXPECTATION_FAILED
    assert f"{file}:2: alice reaches host app1 port 81" in out
    file.write_text("expect:\n  - {connects: alise}\n  - {reaches: alice, host: app1}\n")
    code, _, err = on(lab, "check", "-f", str(file))
    assert code == USAGE
    assert f"{file}:2:16: there is no client 'alise'" in err
    assert f"{file}:3:5: TCP needs a port" in err
    code, out, _ = on(lab, "check", "-k", "carol refused", "--json")
    results = json.loads(out)
    assert [result["text"].split()[0] for result in results] == ["carol"] * len(results)
    assert (code, len(results)) == (HELD, 2)


def test_a_second_operator_is_told_what_it_waits_for(lab: Handle) -> None:
    never = "app1 cannot reach 10.1.1.99 protocol icmp within 3600"
    slow = [start("check", "--name", lab.name, never) for _ in range(2)]
    begun = start("events", "--name", lab.name, "--json")
    told, _, _ = select.select([one.stderr for one in slow], [], [], LIMIT)
    assert told  # so the other one is at work
    second = start("check", "--name", lab.name, "alice reaches app1:80", "--json")
    assert second.stderr
    line = second.stderr.readline()
    assert "another operator is at work: app1 cannot reach address 10.1.1.99" in line
    for one in slow:
        one.send_signal(signal.SIGINT)
        one.communicate(timeout=LIMIT)
        assert one.returncode == INTERRUPTED
    out, _ = second.communicate(timeout=LIMIT)
    assert json.loads(out)[0]["text"] == "alice reaches host app1 port 80"
    assert second.returncode in {HELD, EXPECTATION_FAILED}
    assert begun.stdout
    kinds = set()
    for line in begun.stdout:
        event = json.loads(line)
        kinds.add(event["event"])
        if {"waiting", "step"} <= kinds:
            break
    assert {"stage", "ready", "step", "waiting"} <= kinds
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=LIMIT)
    assert begun.returncode == INTERRUPTED


def test_the_package_is_the_gateway_s(lab: Handle, tmp_path: Path) -> None:
    assert on(lab, "profile", "contoso-gw", cwd=tmp_path)[:2] == (HELD, "contoso-gw.zip\n")
    with zipfile.ZipFile(tmp_path / "contoso-gw.zip") as archive:
        roots = [archive.read(f"Generic/{name}") for name in
                 ("VpnServerRoot.cer", "VpnServerRoot.cer_0")]  # fmt: skip
        assert b"<VpnServer>" in archive.read("Generic/VpnSettings.xml")
    assert roots[0] == roots[1]
    done = subprocess.run([*P2SLAB, "profile", "alice", "--name", lab.name, "--out", "-"],
                          env={**os.environ, "PYTHONPATH": str(SOURCE)}, cwd=SOURCE,
                          capture_output=True, check=True)  # fmt: skip
    assert "OpenVPN/vpnconfig.ovpn" in zipfile.ZipFile(io.BytesIO(done.stdout)).namelist()


def test_files_go_into_nodes_and_come_back(lab: Handle, tmp_path: Path) -> None:
    (tmp_path / "dir/deep").mkdir(parents=True)
    (tmp_path / "dir/deep/bytes").write_bytes(bytes(range(256)) * 100)
    assert on(lab, "cp", str(tmp_path / "dir"), "alice:/tmp")[0] == HELD
    assert on(lab, "cp", str(tmp_path / "dir/deep/bytes"), "alice:/run/renamed")[0] == HELD
    (tmp_path / "back").mkdir()
    assert on(lab, "cp", "alice:/tmp/dir", str(tmp_path / "back"))[0] == HELD
    assert on(lab, "cp", "alice:/run/renamed", str(tmp_path / "one"))[0] == HELD
    wanted = (tmp_path / "dir/deep/bytes").read_bytes()
    assert (tmp_path / "back/dir/deep/bytes").read_bytes() == wanted
    assert (tmp_path / "one").read_bytes() == wanted
    assert on(lab, "cp", "alice:/tmp/dir", str(tmp_path / "back"))[0] == USAGE  # it is there
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["dir"]
    os.mkfifo(tmp_path / "fifo")  # as /dev/null, it must not be replaced
    assert on(lab, "cp", "alice:/run/renamed", str(tmp_path / "fifo"))[0] == USAGE
    assert (tmp_path / "fifo").is_fifo()


def test_a_program_runs_in_several_nodes(lab: Handle) -> None:
    code, out, err = on(lab, "exec", "alice,app1", "--", "sh", "-c", "hostname; echo x >&2; exit 3")
    assert (code, sorted(out.splitlines())) == (3, ["alice: alice", "app1: app1"])
    assert sorted(err.splitlines()) == ["alice: x", "app1: x"]


def test_the_launcher_completes_names_of_nodes(lab: Handle) -> None:
    from lab.boot import completion
    from lab.boot.arguments import load_table
    from lab.runtime.directory import BASE

    table = load_table(str(SOURCE))
    assert completion.answer(["exec", "--name", lab.name, "app"], table, str(BASE)) == ["app1"]
    found = completion.answer(["connect", "--name", lab.name, ""], table, str(BASE))
    assert found == ["alice", "bob", "carol"]


@pytest.mark.parametrize("verb", OF_THE_LAB)
def test_examples_in_help_texts_work(verb: str, lab: Handle, tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text("customRoutes: {addressPrefixes: []}\n")
    if verb != "reinstate":
        assert on(lab, "connect", "alice", "bob", "--quiet")[0] == HELD
    for example in VERBS[verb].examples:
        _, *words = shlex.split(example)
        if verb == "status":
            words = [lab.name if word == "quickstart" else word for word in words]
            code, out, err = run(verb, *words, cwd=tmp_path)
        elif verb == "events" or "--follow" in words:
            process = start(verb, "--name", lab.name, *words, cwd=tmp_path)
            assert process.stdout
            first = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LIMIT)
            assert first
            code = process.returncode - 130
        else:
            code, out, err = on(lab, verb, *words, cwd=tmp_path)
        assert code == HELD, f"{example}: {out}{err}"
    if verb == "restart":
        assert on(lab, "check", "alice stays disconnected for 0.1")[0] == HELD


def test_examples_of_building_and_taking_down_work(tmp_path: Path) -> None:
    chosen, verify = VERBS["verify"].examples
    verify = verify.replace("--report report", f"--report {tmp_path}/report")
    down, forget = VERBS["down"].examples
    examples = [verify, forget, chosen, down, *VERBS["up"].examples, *VERBS["status"].examples,
                down, "down two"]  # fmt: skip
    said = transcript([f"(p2slab {line} > /dev/null || echo FAILED)" for line in examples])
    assert "\nFAILED" not in said, said
    assert "the logs of lab quickstart are removed" in said
    assert (tmp_path / "report/junit.xml").is_file()


@pytest.mark.parametrize("verb", ["validate", "schema", "pki"])
def test_examples_without_a_lab_work(verb: str, tmp_path: Path) -> None:
    (tmp_path / "topologies").symlink_to(SOURCE / "topologies")
    (tmp_path / "password.txt").write_text("secret\n")
    for example in VERBS[verb].examples:
        code, out, err = run(*shlex.split(example.partition(" > ")[0]), cwd=tmp_path)
        assert (code, bool(out)) == (HELD, True), err


def test_faults_and_logs_of_an_office(tmp_path: Path) -> None:
    """Passwords: FreeRADIUS, the client's programs and the gateway in one log."""
    name = f"office-{uuid.uuid4().hex[:8]}"
    assert run("up", "topologies/office.yaml", "--name", name)[0] == HELD
    lab = Handle.open(name)
    try:
        assert on(lab, "connect", "alice")[0] == HELD
        code, _, err = on(lab, "connect", "eve", "mallory")
        assert code == EXPECTATION_FAILED
        rows = [json.loads(line) for line in on(lab, "logs", "--json")[1].splitlines()]
        programs = {(row["node"], row["program"]) for row in rows}
        assert {("head-office-radius", "freeradius"), ("alice", "charon"), ("eve", "sstp"),
                ("contoso-gw", "gateway"), ("contoso-gw", "charon")} <= programs  # fmt: skip
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        assert "guessed" not in str(rows) + err  # the password
        for example in VERBS["fault"].examples:
            assert on(lab, *shlex.split(example))[0] == HELD
    finally:
        lab.down()


def test_a_lab_that_dies_ends_its_followers_and_leaves_its_logs(tmp_path: Path) -> None:
    name = f"dies-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "dies.yaml"
    file.write_text((SOURCE / "CONTRIBUTING.md").read_text().split("```yaml\n")[1].split("```")[0])
    text = "\n".join(line[3:] for line in file.read_text().splitlines())
    file.write_text(
        text.replace("serves: [http]", "serves: [iperf3]").replace("port: 80", "port: 5201")
    )
    try:
        assert run("up", str(file), "--name", name)[0] == HELD
        follower = start("logs", "app1", "--name", name, "--follow")
        watcher = start("events", "--name", name)
        assert on(Handle.open(name), "check")[0] == HELD
        assert follower.stdout
        assert "app1 iperf3: " in follower.stdout.readline()
        for event in Handle.open(name).watch():
            if getattr(event, "verb", "") == "reaches":
                break
        pid = first_of(name)
        os.kill(pid, signal.SIGKILL)
        for process in (follower, watcher):
            _, err = process.communicate(timeout=LIMIT)
            assert (process.returncode, err) == (HELD, f"lab {name} has ended\n")
        code, out, _ = run("logs", "app1", "--name", name)
        assert (code, "app1 iperf3: " in out) == (HELD, True)
        code, _, err = run("connect", "alice", "--name", name)
        assert (code, f"lab {name} is not running" in err) == (USAGE, True)
        assert run("down", "--old", name)[0] == HELD
        assert not RunDirectory(name).path.exists()
        code, _, err = run("logs", "--name", name)
        assert (code, f"there is no lab {name}" in err) == (USAGE, True)
    finally:
        if RunDirectory(name).is_alive():
            Handle.open(name).down()
        RunDirectory(name).remove()


def first_of(name: str) -> int:
    """The lab's first process."""
    from lab.runtime.handle import _peer

    with RunDirectory(name).connect() as connection:
        return _peer(connection)


def test_verify_keeps_a_lab_that_held_and_chosen_steps_are_executed(tmp_path: Path) -> None:
    name = f"kept-{uuid.uuid4().hex[:8]}"
    text = (SOURCE / "CONTRIBUTING.md").read_text().split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "two.yaml"
    lines = [line[3:] for line in text.splitlines() if line.strip()]
    file.write_text("\n".join([*lines, "  - {cannotReach: app2, host: app1, port: 80}\n"]))
    try:
        code, out, _ = run("verify", str(file), "--name", name, "--step", "1", "--keep")
        assert (code, "HELD: 1 of 1" in out, "it is still up" in out) == (HELD, True, True)
        code, out, _ = run("check", "--name", name, "-k", "CANNOT")
        assert (code, f"{file}:{len(lines) + 1}: app2 cannot reach" in out) == (
            EXPECTATION_FAILED,
            True,
        )
        assert run("verify", str(file), "-k", "nothing such")[0] == USAGE
        assert run("down", name)[0] == HELD
        assert run("verify", str(file), "--name", name, "-k", "app2 reaches")[0] == HELD
        assert RunDirectory(name).logs.is_dir()
    finally:
        if RunDirectory(name).is_alive():
            Handle.open(name).down()
        RunDirectory(name).remove()
