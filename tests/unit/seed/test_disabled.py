"""A function is made to find nothing, by the type that it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seed.disabled import disabled
from tests.seed.mutate import flaw_of

CODE = '''\
from __future__ import annotations

def found(a: int) -> {}:
    """The one.

    More."""
    return a
'''


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("Finding | None", "None"),
        ("None", "None"),
        ("str", '""'),
        ("bool", "False"),
        ("tuple[str, ...]", "()"),
        ("tuple[str, Finding | None, list[str]]", '("", None, [])'),
        ("dict[str, bool]", "{}"),
        ("Iterator[str]", "iter(())"),
        ("Finding", 'Finding("mtu", "failed")'),
    ],
)
def test_it_returns_nothing(tmp_path: Path, annotation: str, value: str) -> None:
    (tmp_path / "lab/explain").mkdir(parents=True)
    (tmp_path / "lab/explain/one.py").write_text(CODE.format(annotation))
    made = disabled(tmp_path, "one.found", "mtu")
    assert flaw_of(tmp_path, made) is None
    assert made.becomes.splitlines()[2] == f"    return {value}"
    assert made.becomes.splitlines()[3:] == made.text.splitlines()[1:]


@pytest.mark.parametrize(
    ("name", "annotation", "words"),
    [
        ("one.gone", "str", "one.gone: 0 functions of this name in lab/explain/one.py"),
        ("two.found", "str", "two.found: 0 functions of this name in lab/explain/two.py"),
        ("one.found", "int", "one.found: returns int, and no value of that means"),
    ],
)
def test_what_cannot_find_nothing_is_told(
    tmp_path: Path, name: str, annotation: str, words: str
) -> None:
    (tmp_path / "lab/explain").mkdir(parents=True)
    (tmp_path / "lab/explain/one.py").write_text(CODE.format(annotation))
    with pytest.raises(ValueError, match=rf"^{words}"):
        disabled(tmp_path, name, "mtu")
