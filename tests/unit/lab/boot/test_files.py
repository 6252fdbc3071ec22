"""Files for other programs: Vagrant and CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[4]


def test_the_vagrant_machine_is_debian_12_provisioned_by_the_launcher_as_a_user() -> None:
    text = (CHECKOUT / "Vagrantfile").read_text()
    assert re.search(r'config\.vm\.box = "debian/bookworm64"', text)
    provision = re.search(
        r'provision "private root".*?privileged: false.*?SHELL\n(.*?)SHELL', text, re.DOTALL
    )
    assert provision
    assert "./p2slab root make && ./p2slab doctor" in provision[1]


def test_the_vagrant_machine_shares_no_directory_that_its_user_cannot_own() -> None:
    text = (CHECKOUT / "Vagrantfile").read_text()
    assert 'synced_folder ".", "/vagrant", disabled: true' in text
    assert re.search(r'synced_folder "\.", "/home/vagrant/p2slab", type: "rsync"', text)


def test_the_vagrantfile_has_as_many_blocks_as_ends() -> None:
    lines = [line.strip() for line in (CHECKOUT / "Vagrantfile").read_text().splitlines()]
    opened = sum(line.endswith("|") and " do |" in line for line in lines)
    assert opened == sum(line == "end" for line in lines) == 3


def test_ci_runs_the_readmes_test_command() -> None:
    script = CHECKOUT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec ./p2slab test")
    assert "./p2slab test " in (CHECKOUT / "README.md").read_text()
    bash = shutil.which("bash")
    assert bash
    subprocess.run([bash, "-n", str(script)], check=True)


def test_the_launcher_is_executable() -> None:
    assert os.access(CHECKOUT / "p2slab", os.X_OK)
