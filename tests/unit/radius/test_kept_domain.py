"""The archive of a domain, which is complete or does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.roles.kept_domain import archive_of, keep, restore
from radius.directory import Domain

DOMAIN = Domain("corp.test", members=("NPS1",))


@pytest.fixture
def states(tmp_path: Path) -> dict[str, Path]:
    """Two machines' state: the domain's, and what daemons recreate."""
    places = {name: tmp_path / name.lower() for name in ("DC1", "NPS1")}
    for name, place in places.items():
        for part in ("etc", "lib/private/msg.sock", "lib/winbindd_privileged", "cache"):
            (place / name / part).mkdir(parents=True)
        (place / name / "lib/private/secrets.tdb").write_text(name)
        (place / name / "lib/private/secrets.tdb").chmod(0o600)
        (place / name / "lib/winbindd_cache.tdb").write_text("cache")
    return places


async def test_a_kept_domain_comes_back_as_it_was_without_what_daemons_make(
    tmp_path: Path, states: dict[str, Path]
) -> None:
    archive = tmp_path / "cache" / "directory" / "key.tar.gz"
    (tmp_path / "cache").mkdir()
    await keep(archive, states)
    assert [path.name for path in archive.parent.iterdir()] == ["key.tar.gz"]
    assert archive.stat().st_mode & 0o777 == 0o600
    fresh = {name: tmp_path / "fresh" / name for name in states}
    for place in fresh.values():
        place.mkdir(parents=True)
    await restore(archive, fresh)
    for name, place in fresh.items():
        secret = place / name / "lib/private/secrets.tdb"
        assert secret.read_text() == name
        assert secret.stat().st_mode & 0o777 == 0o600
        found = {str(path.relative_to(place / name)) for path in place.rglob("*")}
        assert found == {".", "etc", "lib", "lib/private", "lib/private/secrets.tdb"}


async def test_a_lab_goes_on_when_its_domain_cannot_be_kept(
    tmp_path: Path, states: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("no directory")
    await keep(tmp_path / "cache" / "directory" / "key.tar.gz", states)
    assert "the domain is not kept" in capsys.readouterr().err
    (states["NPS1"] / "NPS1" / "etc").rmdir()
    archive = tmp_path / "other" / "key.tar.gz"
    await keep(archive, states)
    assert list(archive.parent.iterdir()) == []


async def test_a_damaged_archive_is_named_with_the_remedy(
    tmp_path: Path, states: dict[str, Path]
) -> None:
    archive = tmp_path / "key.tar.gz"
    await keep(archive, states)
    archive.write_bytes(archive.read_bytes()[:40])
    with pytest.raises(LabError, match="the kept domain") as caught:
        await restore(archive, states)
    assert caught.value.remedy == f"remove {archive}"


def test_another_samba_has_another_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))
    samba = tmp_path / "samba"
    samba.write_text("4.17")
    first = archive_of(DOMAIN, samba)
    samba.write_text("4.18.1")
    assert archive_of(DOMAIN, samba) != first
    assert first.parent == tmp_path / "directory"
