"""Every target in the ordinary suite: what was once found, and some seconds of new inputs.

More of it: ./p2slab test --fuzz MINUTES
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.engine import FOUND, Fuzzer, execute
from tests.fuzz.registry import MODULES, target
from tests.fuzz.run import sanitizer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
"""cryptography's, about strange certificates; nothing else raises them in earnest either."""


@pytest.mark.parametrize("name", MODULES)
def test_a_few_thousand_inputs_find_nothing(name: str) -> None:
    chosen = target(name)
    fuzzer = Fuzzer(chosen, seed=1)
    while fuzzer.inputs < chosen.quick and not fuzzer.found:
        fuzzer.step()
    assert not fuzzer.found, "".join(
        f"{found.text}\ninput: {found.data.hex()}" for found in fuzzer.found.values()
    )


@pytest.mark.parametrize(
    "path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_was_once_found_is_found_no_more(path: Path, tmp_path: Path) -> None:
    chosen = target(path.parent.name)
    if not chosen.native:
        execute(chosen, path.read_bytes())
        return
    argv = [sys.executable, "-m", "tests.fuzz.replay", chosen.name, str(path)]
    env = os.environ | sanitizer(tmp_path)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
