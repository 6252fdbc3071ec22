from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from lab.boot.archive import export_root, import_root
from lab.boot.cache import Cache
from lab.boot.make import LABEL
from lab.errors import USAGE, UsageError

KEY = "0123456789ab"


def tarball(path: Path, first: str, content: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(first)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def refused(cache: Path, file: Path) -> str:
    with pytest.raises(UsageError) as caught:
        import_root(Cache(str(cache)), KEY, "/nowhere", str(file))
    assert caught.value.code == USAGE
    assert not cache.exists(), "nothing is left"
    return caught.value.message


def test_a_root_of_another_version_is_refused_with_both_keys(tmp_path: Path) -> None:
    label = json.dumps({"key": "ffffffffffff"}).encode()
    said = refused(tmp_path / "cache", tarball(tmp_path / "r.tar.gz", LABEL, label))
    assert "ffffffffffff" in said
    assert KEY in said


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00garbage"])
def test_a_file_that_is_no_tarball_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "r.tar.gz"
    file.write_bytes(content)
    assert "cannot be read" in refused(tmp_path / "cache", file)


def test_a_tarball_of_something_else_is_refused(tmp_path: Path) -> None:
    assert "(none)" in refused(tmp_path / "cache", tarball(tmp_path / "r.tar.gz", "README", b"x"))


def test_a_label_that_is_not_json_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path / "cache", tarball(tmp_path / "r.tar.gz", LABEL, b"{"))
    assert "cannot be read" in said


@pytest.mark.parametrize("layers", [None, 3, ["core"], ["base", "runner", "moon"], [["base"]]])
def test_a_label_without_layers_of_ours_is_refused(tmp_path: Path, layers: object) -> None:
    label = json.dumps({"key": KEY, "layers": layers}).encode()
    said = refused(tmp_path / "cache", tarball(tmp_path / "r.tar.gz", LABEL, label))
    assert "list its layers" in said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "cache", tmp_path / "r.tar.gz")


def test_there_must_be_a_root_to_export(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no private root"):
        export_root(Cache(str(tmp_path)), KEY, str(tmp_path / "r.tar.gz"))
    assert list(tmp_path.iterdir()) == []
