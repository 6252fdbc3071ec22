"""Domains that were made once: $P2SLAB_CACHE/directory/KEY.tar.gz, mode 0600.

The state of controller and members is kept together, because they share the machines' passwords.
`states` are the directories of the nodes in which it lies, each below its NetBIOS name.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lab.boot import own
from lab.errors import LabError
from radius.directory import LEFT_OUT, Domain

PACKER = "gzip -1"
_KEPT = ("etc", "lib")

States = Mapping[str, Path]


def archive_of(domain: Domain, samba: Path) -> Path:
    """Where the domain is kept. The program's size and time stand for its version."""
    status = samba.stat()
    key = domain.key(f"{status.st_size} {int(status.st_mtime)}")
    return Path(os.environ["P2SLAB_CACHE"], "directory", f"{key}.tar.gz")


async def keep(archive: Path, states: States) -> None:
    """Whole or not at all; nothing may run that changes it. A lab goes on without."""
    for name, directory in states.items():
        for part in LEFT_OUT:
            _remove(directory / name / part)
    try:
        await _keep(archive, states)
    except (OSError, LabError) as error:
        print(f"the domain is not kept: {error}", file=sys.stderr)


async def _keep(archive: Path, states: States) -> None:
    archive.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(own.open_directory(str(archive.parent), make=True))
    beside = archive.with_name(f"{archive.name}.{secrets.token_hex(4)}")
    beside.touch(mode=0o600)
    parts = [
        word
        for name, directory in states.items()
        for word in ("-C", str(directory), *(f"{name}/{part}" for part in _KEPT))
    ]
    try:
        await _tar(beside, ["--create", "--sparse", f"--use-compress-program={PACKER}", *parts])
        beside.rename(archive)
    finally:
        beside.unlink(missing_ok=True)


async def restore(archive: Path, states: States) -> None:
    """Put every machine's state where it was; LabError names an archive that is damaged."""
    words = ["--extract", "--gzip", "--preserve-permissions", "-C"]
    parts = [_tar(archive, [*words, str(place), name]) for name, place in states.items()]
    await asyncio.gather(*parts)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


async def _tar(archive: Path, words: list[str]) -> None:
    """The supervisor's own: it sees the nodes' files and the cache."""
    argv = ["tar", "--numeric-owner", "--file", str(archive), *words]
    tar = await asyncio.to_thread(
        subprocess.run, argv, stderr=subprocess.PIPE, text=True, errors="replace", check=False
    )
    if tar.returncode:
        raise LabError(f"the kept domain {archive}: {tar.stderr.strip()}", f"remove {archive}")
