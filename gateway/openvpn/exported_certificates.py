"""The certificates that openvpn has verified, for the gateway to judge as well.

openvpn tells digests and names of them, and the certificates themselves only to a program that it
runs at each one (tls-verify with tls-export-cert). That program, a shell of one line, keeps them
under the SHA-256 of their DER, by which openvpn's management interface names them: so no client's
is taken for another's. A program that fails refuses the client.
"""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from gateway.common.files import make_private_directory, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_KEPT = 4096
"""Files; each is of a certificate that leads to an uploaded root."""
_PRUNED_EACH = 256
"""Chains that are asked for."""
_DIGEST = "tls_digest_sha256_"
_SCRIPT = """\
# openvpn runs this with a depth and a subject at each certificate that it has verified.
eval "digest=\\$tls_digest_sha256_$1"
exec ln -f "$peer_cert" "{kept}/$digest"
"""


class KeptCertificates:
    """A directory below the engine's own."""

    def __init__(self, state: Path) -> None:
        self._exported = state / "exported"
        self._kept = state / "certificates"
        self._script = state / "keep-certificate.sh"
        self._asked = 0

    def options(self) -> tuple[str, ...]:
        """Of the server's configuration."""
        return (
            "script-security 2",
            f'tls-verify "/bin/sh {self._script}"',
            f"tls-export-cert {self._exported}",
        )

    def prepare(self) -> None:
        """Before openvpn starts; StorageError where that cannot be."""
        for directory in (self._exported, self._kept):
            shutil.rmtree(directory, ignore_errors=True)
            make_private_directory(directory)
        write_private(self._script, _SCRIPT.format(kept=self._kept))

    def chain(self, env: Mapping[str, str]) -> tuple[bytes, ...]:
        """The client's chain (DER, its own first) by the environment of a management event.

        ValueError where one is missing or is another than openvpn says.
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
            raise ValueError("openvpn names no whole chain")
        return tuple(self._read(digests[depth]) for depth in range(len(digests)))

    def prune(self) -> None:
        """Keep the newest."""
        files = sorted(self._kept.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in files[:-MOST_KEPT]:
            file.unlink(missing_ok=True)

    def _read(self, digest: str) -> bytes:
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - as late as OpenVPN is used

        wanted = bytes.fromhex(digest.replace(":", ""))
        try:
            pem = (self._kept / wanted.hex(":")).read_text("ascii")
        except OSError as error:
            raise ValueError(f"openvpn has kept no certificate {digest}") from error
        der = PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") :])
        if hashlib.sha256(der).digest() != wanted:
            raise ValueError(f"openvpn has kept another certificate as {digest}")
        return der
