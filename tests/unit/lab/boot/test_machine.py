"""What the launcher finds out about the machine, with fake files and programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.boot import host_settings, tools, users
from lab.errors import MachineError


def test_a_range_of_subordinate_ids_is_found_by_name_or_number(tmp_path: Path) -> None:
    uid = os.geteuid()
    (tmp_path / "subuid").write_text(f"somebody:100000:65536\n{uid}:200000:65536\n")
    assert users.subordinate_ids("uid", etc=str(tmp_path)) == "200000"


@pytest.mark.parametrize("content", ["", "somebody:100000:65536\n", "{uid}:200000:1000\n", "x\n"])
def test_no_range_or_too_short_a_one_is_reported_with_the_command(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "subgid").write_text(content.format(uid=os.geteuid()))
    with pytest.raises(MachineError) as caught:
        users.subordinate_ids("gid", etc=str(tmp_path))
    assert "subgid" in caught.value.message
    assert "usermod --add-subgids" in (caught.value.remedy or "")
    assert "sudo ./p2slab" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("no_new_privs", "mode", "named"),
    [("1", 0o4755, "no_new_privs"), ("0", 0o755, "not setuid"), ("0", 0o4755, "")],
)
def test_a_newuidmap_without_rights_is_told_with_the_reason(
    tmp_path: Path, no_new_privs: str, mode: int, named: str
) -> None:
    program = tmp_path / "newuidmap"
    program.touch()
    program.chmod(mode)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(f"Name:\tsh\nNoNewPrivs:\t{no_new_privs}\n")
    found = users.why_powerless(str(program), str(tmp_path))
    assert bool(found) is bool(named)
    if found:
        assert named in found[0]
        assert all(found)


@pytest.mark.parametrize(
    ("file", "value", "named"),
    [
        ("sys/user/max_user_namespaces", "0", "user.max_user_namespaces"),
        ("sys/kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone"),
        ("sys/kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict"),
        ("self/status", "Name:\tsh\nSeccomp:\t2\n", "seccomp"),
        ("self/status", "Name:\tsh\nSeccomp:\t0\n", "the kernel refuses it"),
    ],
)
def test_the_setting_that_forbids_user_namespaces_is_named(
    tmp_path: Path, file: str, value: str, named: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(value)
    meaning, remedy = users.why_no_namespace(root=False, proc=str(tmp_path))
    assert named in meaning
    assert remedy


def test_root_without_namespaces_gets_the_container_remedy_not_sudo(
    tmp_path: Path,
) -> None:
    (tmp_path / "sys" / "user").mkdir(parents=True)
    (tmp_path / "sys" / "user" / "max_user_namespaces").write_text("0")
    meaning, remedy = users.why_no_namespace(root=True, proc=str(tmp_path))
    assert "SYS_ADMIN" in meaning
    assert "--privileged" in remedy
    assert "sudo" not in remedy


def programs(directory: Path, *names: str) -> str:
    for name in names:
        (directory / name).write_text("#!/bin/sh\n")
        (directory / name).chmod(0o755)
    return str(directory)


def test_a_missing_mmdebstrap_is_printed_with_the_command_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path, "apt-get", "sudo"))
    missing = tools.missing_packages()
    assert "mmdebstrap" in missing
    with pytest.raises(MachineError) as caught:
        tools.provide(missing, install=False)
    assert "lacks mmdebstrap" in caught.value.message
    assert "apt-get install -y --no-install-recommends mmdebstrap" in (caught.value.remedy or "")


def test_uidmap_is_wanted_by_a_user_and_not_by_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path, "mmdebstrap"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "uidmap" in tools.missing_packages()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "uidmap" not in tools.missing_packages()


def test_without_apt_get_another_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError) as caught:
        tools.provide(["mmdebstrap"], install=True)
    assert "root import" in (caught.value.remedy or "")


def test_a_failed_installation_is_tried_once_more_after_an_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text('#!/bin/sh\necho "ran $1"\n[ "$1" = update ] && : > "$0.updated"\n'
                   '[ -e "$0.updated" ]\n')  # fmt: skip
    programs(tmp_path, "sudo")
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.provide(["mmdebstrap"], install=True)
    said = capfd.readouterr()
    assert "this machine lacks mmdebstrap; installing with" in said.err
    assert [line for line in said.err.splitlines() if line.startswith("ran")] == [
        "ran install", "ran update", "ran install"]  # fmt: skip
    assert said.out == ""


def test_proxies_pip_settings_and_the_files_they_name_are_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "pip.conf"
    pip.write_text("[global]\ncert = /etc/hostname\nfind-links = /opt/wheels\n"
                   "extra-index-url = file:///etc/passwd\n")  # fmt: skip
    monkeypatch.setenv("PIP_CONFIG_FILE", str(pip))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("AWS_SECRET", "x")
    settings = host_settings.collect()
    assert settings.env["PIP_CONFIG_FILE"] == str(pip)
    assert settings.env["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "AWS_SECRET" not in settings.env
    assert "/etc/passwd" in settings.files
    assert "/opt/wheels" not in settings.files
    assert str(pip) not in settings.files, "it is seen where it is"


def test_settings_are_written_at_their_own_paths_below_a_directory(tmp_path: Path) -> None:
    settings = host_settings.Settings({"PIP_CERT": "/etc/ca.pem"}, {"/etc/ca.pem": b"pem"})
    settings.save(str(tmp_path))
    assert (tmp_path / "etc" / "ca.pem").read_bytes() == b"pem"
    assert (tmp_path / "env.json").read_text() == '{"PIP_CERT": "/etc/ca.pem"}'


def test_apts_own_proxy_settings_are_carried_and_nothing_else_of_apt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = tmp_path / "apt-config"
    apt.write_text("#!/bin/sh\n/bin/cat <<'X'\nAPT \"\";\nAcquire::http \"\";\n"
                   'Acquire::http::Proxy "http://p:3142";\nAcquire::https::CAInfo "/etc/ca";\n'
                   'Acquire::http::Timeout "";\nDir "/";\nX\n')  # fmt: skip
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host_settings.apt_options() == [
        'Acquire::http::Proxy "http://p:3142"',
        'Acquire::https::CAInfo "/etc/ca"',
    ]
