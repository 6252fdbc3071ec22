"""The uploaded roots in the form that openvpn looks up (`capath`): a directory of files named by
subject hash, made by `openssl rehash`.

openvpn looks there at every handshake, so a new root needs no restart. It caches roots that it has
found, so admission checks again whether a root is still uploaded.
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
    """A symbolic link `roots` to the current directory; it is replaced atomically, so that no
    handshake sees a half-written one."""

    def __init__(self, state: Path) -> None:
        self.path = state / "roots"
        self._state = state
        self._written: tuple[Certificate, ...] | None = None
        self._number = 0

    async def write(self, roots: tuple[Certificate, ...]) -> None:
        """Make these the current roots, unless they are already. StorageError: that failed."""
        if roots == self._written:
            return
        from ssl import DER_cert_to_PEM_cert  # noqa: PLC0415 - only needed for OpenVPN

        from gateway.common.anchors import anchor  # noqa: PLC0415 - as above

        self._number += 1
        directory = self._state / f"roots-{self._number}"
        for index, root in enumerate(roots):
            write_private(directory / f"{index}.pem", DER_cert_to_PEM_cert(anchor(root)))
        await _rehash(directory)
        self._switch_to(directory)
        self._written = roots

    def _switch_to(self, directory: Path) -> None:
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
    output, _ = await process.communicate()
    if process.returncode:
        raise StorageError(f"openssl rehash {directory}: {output.decode().strip()}")
