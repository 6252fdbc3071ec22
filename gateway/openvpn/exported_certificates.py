"""The certificates that openvpn has verified, exported so that the gateway can verify them, too.

The management interface gives only digests and names. openvpn passes the certificates themselves to
a program that it runs for each one (tls-verify with tls-export-cert). That program, a shell script
of two lines, stores each under the SHA-256 of its DER, the digest that the management interface
reports, so that no client's certificate is mistaken for another's. If the program fails, openvpn
refuses the client.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.common.files import make_private_directory, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_KEPT = 4096
"""Maximum number of files, each a certificate that chains to an uploaded root."""
_PRUNED_EACH = 256
"""Number of chain() calls between two prunings."""
_DIGEST = "tls_digest_sha256_"
_SCRIPT = """\
# openvpn runs this for each certificate that it has verified, with its depth and subject.
eval "digest=\\$tls_digest_sha256_$1"
exec ln -f "$peer_cert" "{kept}/$digest"
"""


class KeptCertificates:
    """The exported certificates, in a directory below the engine's own."""

    def __init__(self, state: Path) -> None:
        self._exported = state / "exported"
        self._kept = state / "certificates"
        self._script = state / "keep-certificate.sh"
        self._asked = 0

    def options(self) -> tuple[str, ...]:
        """Options for the server's configuration."""
        return (
            "script-security 2",
            f'tls-verify "/bin/sh {self._script}"',
            f"tls-export-cert {self._exported}",
        )

    def prepare(self) -> None:
        """Create script and directories, before openvpn starts. StorageError: that failed."""
        for directory in (self._exported, self._kept):
            shutil.rmtree(directory, ignore_errors=True)
            make_private_directory(directory)
        write_private(self._script, _SCRIPT.format(kept=self._kept))

    def chain(self, env: Mapping[str, str]) -> tuple[bytes, ...]:
        """The client's chain (DER, its own first) for the environment of a management event.

        ValueError: a certificate is missing, or does not match openvpn's digest.
        """
        self._asked += 1
        if self._asked % _PRUNED_EACH == 0:
            self.prune()
        digests = {
            int(depth): value
            for name, value in env.items()
            if (depth := name.removeprefix(_DIGEST)) != name and depth.isdecimal()
        }
        if sorted(digests) != list(range(len(digests))):
            raise ValueError("openvpn did not report a complete chain")
        return tuple(self._read(digests[depth]) for depth in range(len(digests)))

    def prune(self) -> None:
        """Delete all but the newest."""
        files: list[tuple[float, Path]] = []
        for file in self._kept.iterdir():
            with suppress(FileNotFoundError):  # ln has renamed it meanwhile
                files.append((file.stat().st_mtime, file))
        for _, file in sorted(files)[:-MOST_KEPT]:
            file.unlink(missing_ok=True)

    def _read(self, digest: str) -> bytes:
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - only needed for OpenVPN

        wanted = bytes.fromhex(digest.replace(":", ""))
        try:
            pem = (self._kept / wanted.hex(":")).read_text("ascii")
        except OSError as error:
            raise ValueError(f"openvpn exported no certificate {digest}") from error
        der = PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") :])
        if hashlib.sha256(der).digest() != wanted:
            raise ValueError(f"openvpn exported a different certificate as {digest}")
        return der
