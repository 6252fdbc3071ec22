"""The uploaded roots as openvpn looks them up (`capath`): a directory of files named by the hash
of their subject, which `openssl rehash` makes.

openvpn looks there at every handshake, so that a new root needs no restart. It keeps what it has
found once; that a root is still uploaded is therefore asked again by the gate.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from gateway.common.errors import StorageError
from gateway.common.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate


class Roots:
    """A link `roots` to the directory in force; it is turned over in one step, so that no
    handshake meets a half-written one."""

    def __init__(self, state: Path) -> None:
        self.path = state / "roots"
        self._state = state
        self._written: tuple[Certificate, ...] | None = None
        self._number = 0

    async def write(self, roots: tuple[Certificate, ...]) -> None:
        """Put these roots in force; nothing happens if they are."""
        if roots == self._written:
            return
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

        self._number += 1
        directory = self._state / f"roots-{self._number}"
        for index, root in enumerate(roots):
            write_private(directory / f"{index}.pem", root.public_bytes(Encoding.PEM))
        await _rehash(directory)
        self._turn_over(directory)
        self._written = roots

    def _turn_over(self, directory: Path) -> None:
        draft = self._state / "roots.new"
        try:
            draft.unlink(missing_ok=True)
            draft.symlink_to(directory.name)
            draft.replace(self.path)
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from error
        for old in self._state.glob("roots-*"):
            if old != directory:
                shutil.rmtree(old, ignore_errors=True)


async def _rehash(directory: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *("openssl", "rehash", str(directory)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise StorageError(f"openssl rehash {directory}: {said.decode().strip()}")
