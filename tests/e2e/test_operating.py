"""The transcripts of docs/operating.md are what happens."""

from __future__ import annotations

import pytest

from tests.rigs.transcript import BLOCK, PAGE, bare, commands, run

BLOCKS = BLOCK.findall(PAGE.read_text())


@pytest.mark.parametrize("block", BLOCKS, ids=["office", "quickstart"])
def test_the_transcript_is_what_happens(block: str) -> None:
    typed = commands(block)
    said = run(typed)
    if block.splitlines() == [f"$ {line}" for line in typed]:
        PAGE.write_text(PAGE.read_text().replace(block, said))
        pytest.fail(f"the transcript in {PAGE} had no answers and was written: read it")
    assert bare(said) == bare(block)
