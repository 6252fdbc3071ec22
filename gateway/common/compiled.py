"""C files of ours as libraries, each built once by the machine's C compiler.

Standard library only, and runs on Python 3.9: `doctor` uses it too.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPILERS = ("gcc", "cc", "clang")
_LONGEST_BUILD = 60.0


def kept() -> Path:
    """The directory of these libraries: $P2SLAB_CACHE/native, by default ~/.cache/p2slab/native."""
    named = os.environ.get("P2SLAB_CACHE")
    return Path(named or Path.home() / ".cache/p2slab", "native")


def build(source: Path, directory: Path, flags: Sequence[str]) -> Path:
    """The source's library in this directory, built if it is missing; safe with concurrent builds.

    RuntimeError, with the compiler's message; OSError.
    """
    name = hashlib.sha256(source.read_bytes() + repr(tuple(flags)).encode()).hexdigest()
    path = directory / f"{name}.so"
    if path.exists():
        return path
    import shutil  # noqa: PLC0415 - seldom needed, as are the two below
    import tempfile  # noqa: PLC0415

    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if not compiler:
        raise RuntimeError(f"no C compiler ({', '.join(_COMPILERS)}) on PATH")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as place:
        fresh = Path(place, path.name)
        _compile([compiler, *flags, "-o", str(fresh), str(source)])
        fresh.replace(path)
    return path


def _compile(argv: Sequence[str]) -> None:
    import subprocess  # noqa: PLC0415

    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_LONGEST_BUILD, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{argv[0]} took longer than {_LONGEST_BUILD:g} s") from error
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr.strip()[-500:]}")
