"""The transcript of docs/operating.md is what happens."""

from __future__ import annotations

import pytest

from tests.rigs.transcript import BLOCK, PAGE, bare, commands, run


def test_the_transcript_is_what_happens() -> None:
    page = PAGE.read_text()
    block = BLOCK.search(page)
    assert block
    typed = commands(block[0])
    said = run(typed)
    if block[0].splitlines() == [f"$ {line}" for line in typed]:
        PAGE.write_text(page.replace(block[0], said))
        pytest.fail(f"the transcript in {PAGE} had no answers and was written: read it")
    assert bare(said) == bare(block[0])
