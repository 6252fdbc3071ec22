"""What a person gets by TAB in a real shell with the printed script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.boot import completion
from tests.rigs.shells import type_and_complete

ANSWERS = """#!/bin/sh
printf '%s\\n' "$*" >> {asked}
[ "$1" = completion ] && case "$5" in al*) echo alice;; *) printf 'alice\\nbob\\n';; esac
"""


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_a_name_is_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    asked, program, script = tmp_path / "asked", tmp_path / "p2slab", tmp_path / "script"
    program.write_text(ANSWERS.format(asked=asked))
    program.chmod(0o755)
    script.write_text(completion.SCRIPTS[shell])
    type_and_complete(shell, script, "p2slab connect al", tmp_path)
    said = asked.read_text().splitlines()
    assert said == ["completion answer -- connect al", "connect alice"]
