"""Several operators on one lab, some of whom leave, and explanations at bad moments."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import EXPECTATION_FAILED, HELD, OURS, USAGE
from lab.runtime.directory import RunDirectory
from lab.runtime.handle import Handle
from tests.e2e.test_hands import LIMIT, first_of, on, quickstart, run, start

INTERRUPTED = 130
NEVER = "alice stays disconnected for 3600"
"""A check that ends only with its operator."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Handle]:
    with quickstart("operators") as handle:
        yield handle


def operator(lab: Handle, verb: str, *arguments: str) -> subprocess.Popen[str]:
    return start(verb, "--name", lab.name, *arguments)


def waits(*processes: subprocess.Popen[str]) -> str:
    """The line by which one of them is told whom it waits for."""
    lines = [process.stderr for process in processes if process.stderr]
    ready, _, _ = select.select(lines, [], [], LIMIT)
    assert ready, "nobody was told"
    return str(ready[0].readline())


def leave(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err.splitlines()[-1:]) == (INTERRUPTED, ["p2slab: interrupted"])


def test_what_an_operator_who_left_was_waiting_for_is_not_done(lab: Handle) -> None:
    first = operator(lab, "check", NEVER)
    second = operator(lab, "check", NEVER)
    told = waits(first, second)  # whoever came later
    assert "another operator is at work: alice stays disconnected" in told
    third = operator(lab, "revoke", "bob")
    assert "another operator is at work" in waits(third)
    for process in (third, second, first):
        leave(process)
    assert on(lab, "connect", "bob", "--quiet")[0] == HELD
    assert on(lab, "hangup", "bob")[0] == HELD


def test_one_connects_whom_the_other_hangs_up(lab: Handle) -> None:
    processes = [operator(lab, verb, "bob", *rest) for _ in range(2) for verb, *rest in
                 (("connect", "--quiet"), ("hangup",), ("explain",))]  # fmt: skip
    for process in processes:
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode in {HELD, EXPECTATION_FAILED}, err
        assert "Traceback" not in err
    assert on(lab, "hangup", "bob")[0] == HELD
    assert "it was not connected" in on(lab, "hangup", "bob")[1]
    assert ": hang up bob: hung up" in on(lab, "explain", "bob")[1]


def test_a_client_is_explained_in_every_state(lab: Handle) -> None:
    code, out, _ = on(lab, "explain", "alice")
    assert (code, "has not dialled since the lab was built" in out) == (EXPECTATION_FAILED, True)
    code, _, err = on(lab, "explain", "alise")
    assert (code, "no client, host, site or connection 'alise'" in err) == (USAGE, True)
    assert "did you mean 'alice'?" in err
    assert on(lab, "connect", "alice", "--quiet")[0] == HELD
    code, out, _ = on(lab, "explain", "ALICE", "--json")
    found = json.loads(out)
    assert (code, "layer" in found) == (HELD, False)
    assert found["sentence"].startswith("alice is connected: IkeV2, 172.16.201.")
    code, _, err = on(lab, "explain", "alice", "--to", "app1:http")
    assert (code, "that is not HOST:PORT" in err) == (USAGE, True)
    code, _, err = on(lab, "explain", "alice", "--to", "app9:80")
    assert (code, "there is no node 'app9'\n  try: did you mean 'app1'?" in err) == (USAGE, True)
    code, _, err = on(lab, "explain", "alice", "--to", "app1", "--size", "99999")
    assert (code, err.startswith("p2slab: explain: Invalid value for '--size'")) == (USAGE, True)
    assert on(lab, "hangup", "alice")[0] == HELD
    code, out, _ = on(lab, "explain", "alice")
    assert (code, "hang up alice" in out) == (EXPECTATION_FAILED, True)


def test_a_refused_client_is_explained_while_another_changes_the_gateway(lab: Handle) -> None:
    assert on(lab, "connect", "carol", "--quiet")[0] == EXPECTATION_FAILED
    changes = [operator(lab, "update", "contoso-gw", f"{{sku: {{name: {name}}}}}")
               for name in ("VpnGw2", "VpnGw1")]  # fmt: skip
    asked = [operator(lab, "explain", "carol") for _ in range(3)]
    for process in asked:
        out, err = process.communicate(timeout=LIMIT)
        assert (process.returncode, err) == (EXPECTATION_FAILED, "")
        assert "failed  revocation: the certificate" in out
        assert "no explanation" not in out
    for process in changes:
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode == HELD, err


def test_two_causes_are_named_the_first_one_first(lab: Handle) -> None:
    """carol is revoked, and the gateway takes her protocol away."""
    change = "{vpnClientConfiguration: {vpnClientProtocols: [OpenVPN]}}"
    assert on(lab, "update", "contoso-gw", change)[0] == HELD
    assert on(lab, "connect", "carol", "--over", "IkeV2", "-q")[0] == EXPECTATION_FAILED
    code, out, _ = on(lab, "explain", "carol", "--json")
    found = json.loads(out)
    assert (code, found["layer"]) == (EXPECTATION_FAILED, "profile-stale")
    first, _, second = found["sentence"].partition("; and besides, ")
    assert "IkeV2 is not offered by the gateway" in first
    assert second.startswith("the client's certificate is revoked: entry 'carols-lost-laptop'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty; write steps into it, such as - {connects: alice}"),
        ("a: [1\n", "not YAML: "),
        ("- {reachs: carol}\n- 7\n", "did you mean 'reaches'?"),
        ("expect: {}\n", "must be a list of steps"),
        ("- &a [*a]\n", "*a contains itself"),
        ("- alice has lunch\n", "no word of `expect:`"),
    ],
)
def test_a_broken_file_of_steps_is_refused(
    text: str, words: str, lab: Handle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("steps") / "steps.yaml"
    file.write_text(text)
    code, out, err = on(lab, "check", "-f", str(file))
    assert (code, out) == (USAGE, "")
    assert words in " ".join(err.split())
    code, _, err = on(lab, "check", "-f", str(file.with_name("none.yaml")))
    assert (code, "no such file" in err) == (USAGE, True)


@pytest.mark.parametrize(
    "words", [("logs", "--follow"), ("events",), ("exec", "alice", "--", "sleep", "3600")]
)
def test_verbs_that_go_on_end_by_an_interrupt(words: tuple[str, ...], lab: Handle) -> None:
    process = operator(lab, *words)
    if words[0] == "exec":
        while on(lab, "exec", "alice", "--", "pgrep", "-x", "sleep")[0] != HELD:
            assert process.poll() is None
    else:
        assert process.stdout
        assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    if words[0] == "exec":  # a terminal sends it to the program, too
        assert on(lab, "exec", "alice", "--", "pkill", "-INT", "-x", "sleep")[0] == HELD
    process.communicate(timeout=LIMIT)
    assert process.returncode in {INTERRUPTED, -signal.SIGINT}


def test_explanations_end_with_their_lab() -> None:
    name = f"ending-{uuid.uuid4().hex[:8]}"
    assert run("up", "topologies/quickstart.yaml", "--name", name)[0] == HELD
    lab = Handle.open(name)
    try:
        on(lab, "connect", "carol", "--quiet")
        asked = [operator(lab, "explain", "alice", "--to", "10.1.1.99:80") for _ in range(3)]
    finally:
        lab.down()
    for process in asked:
        _, err = process.communicate(timeout=LIMIT)
        assert "Traceback" not in err
        ended = any(words in err for words in ("has ended", "is not running"))
        code = USAGE if ended else EXPECTATION_FAILED
        assert process.returncode == code, (process.returncode, err)


def test_operators_of_a_lab_that_is_killed_are_told() -> None:
    name = f"killed-{uuid.uuid4().hex[:8]}"
    assert run("up", "topologies/quickstart.yaml", "--name", name)[0] == HELD
    lab = Handle.open(name)
    try:
        at_work = operator(lab, "check", NEVER)
        waiting = operator(lab, "check", NEVER)
        assert "another operator is at work" in waits(at_work, waiting)
        inside = operator(lab, "exec", "alice", "--", "sleep", "3600")
        while on(lab, "exec", "alice", "--", "pgrep", "-x", "sleep")[0] != HELD:
            assert inside.poll() is None
        os.kill(first_of(name), signal.SIGKILL)
        for process in (at_work, waiting):
            _, err = process.communicate(timeout=LIMIT)
            assert (process.returncode, f"lab {name} has ended" in err) == (USAGE, True), err
            assert "Traceback" not in err
        _, err = inside.communicate(timeout=LIMIT)
        assert (inside.returncode, err) == (-signal.SIGKILL, "")
    finally:
        RunDirectory(name).remove()


def test_a_lab_that_is_stopped_is_reported_and_can_be_taken_down() -> None:
    name = f"stopped-{uuid.uuid4().hex[:8]}"
    assert run("up", "topologies/quickstart.yaml", "--name", name)[0] == HELD
    lab = Handle.open(name)
    first = first_of(name)
    try:
        (supervisor,) = map(
            int, Path(f"/proc/{first}/task/{first}/children").read_text().split()[:1]
        )
        os.kill(supervisor, signal.SIGSTOP)
        for verb in (("explain", "alice"), ("connect", "alice"), ("profile", "contoso-gw")):
            code, _, err = on(lab, *verb)
            assert (code, f"lab {name} does not answer within" in err) == (OURS, True), err
            assert f"p2slab down {name}" in err
    finally:
        assert run("down", name)[0] == HELD
