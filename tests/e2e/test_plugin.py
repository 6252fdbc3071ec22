"""The `lab` fixture on a real lab; and checks that are seen to fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.errors import UsageError
from lab.pytest_plugin import RunningLab

QUICKSTART = "topologies/quickstart.yaml"


@pytest.mark.topology(QUICKSTART)
def test_a_lab_is_held_by_its_words_its_programs_and_its_operator(lab: RunningLab) -> None:
    lab.expect({"connects": "alice", "over": "IkeV2"}, {"noCleartext": "alice", "host": "app1"})
    page = lab.exec("alice", ["curl", "-s", "http://app1.contoso.internal/"]).stdout
    assert page == "hello from app1\n"
    (session,) = lab.operate("contoso-gw", "sessions")
    assert session["vpnUserName"] == "alice"


@pytest.mark.topology(QUICKSTART)
def test_no_cleartext_fails_when_the_tunnel_is_off_or_passed_by(lab: RunningLab) -> None:
    with pytest.raises(AssertionError, match="bob has no tunnel"):
        lab.expect({"noCleartext": "bob", "host": "app1"})
    lab.expect({"connects": "bob", "over": "OpenVPN"})
    lab.expect({"noCleartext": "bob", "host": "app1"})
    # A way into the VNet beside the tunnel, as a mistaken route would make it.
    router = lab.exec("bob", ["ip", "route", "show", "default"]).stdout.split()[2]
    for node, via in (("bob", router), ("home", "192.0.2.1"), ("internet", "203.0.113.2")):
        lab.exec(node, ["ip", "route", "add", "10.1.1.4/32", "via", via])
    with pytest.raises(AssertionError, match="in the clear"):
        lab.expect({"noCleartext": "bob", "host": "app1"})


@pytest.mark.topology(QUICKSTART)
def test_an_expectation_that_does_not_hold_says_what_was_seen(lab: RunningLab) -> None:
    with pytest.raises(
        AssertionError, match=r"alice reaches host app1 port 80: 10\.1\.1\.4: Network"
    ) as error:
        lab.expect({"reaches": "alice", "host": "app1", "port": 80})
    first, *rest = str(error.value).splitlines()
    place, _, _ = first.partition(": alice reaches")
    file, _, line = place.rpartition(":")
    assert Path(file).read_text().splitlines()[int(line) - 1].strip().startswith("lab.expect(")
    assert any(row.strip().startswith("change: ") for row in rest)
    with pytest.raises(AssertionError, match="refused, but because revoked"):
        lab.expect({"refused": "carol", "over": "IkeV2", "because": "expired"})


@pytest.mark.topology(QUICKSTART)
def test_a_lab_is_operated_by_the_verbs(lab: RunningLab) -> None:
    assert lab.connect("bob", over="OpenVPN").held
    lab.revoke("bob")
    lab.check("bob disconnected because revoked")
    with pytest.raises(AssertionError, match="bob connects: refused"):
        lab.connect("bob")
    assert any("refused" in line.text for line in lab.logs("contoso-gw", "gateway"))
    lab.reinstate("bob")
    lab.connect("bob")
    lab.update("contoso-gw", {"customRoutes": {"addressPrefixes": ["10.9.0.0/16"]}})
    lab.disconnect("bob")
    lab.restart("bob")
    assert lab.profile("bob") == lab.profile("contoso-gw")
    with pytest.raises(AssertionError, match=r"step 2: there is no client 'bbo'; did you mean"):
        lab.expect({"connects": "bob"}, {"hangUp": "bbo"})
    with pytest.raises(AssertionError, match="did you mean 'reaches'"):
        lab.check("bob reachs app1:80")


@pytest.mark.topology("topologies/mfa-by-hand.yaml")
def test_users_are_approved_and_denied_from_the_command_line(lab: RunningLab) -> None:
    def said(verb: str, user: str) -> str:
        command = import_module(f"lab.cli.{verb}").command
        with pytest.raises(UsageError, match=f"no server is asking {user} now"):
            lab.handle.decide(user, approve=True)
        with ThreadPoolExecutor() as pool:
            word = "connects" if verb == "approve" else "refused"
            dialling = pool.submit(lab.expect, {word: user, "over": "SSTP"})
            while lab.handle.status()["waiting"] != [user]:
                assert not dialling.done(), dialling.result()
            done = CliRunner().invoke(command, ["--name", lab.handle.name, user])
            dialling.result()
        return done.output

    assert said("approve", "bob") == "bob approves: nps\n"
    assert said("deny", "carol") == "carol denies: nps\n"
