"""The directory of a report: prepared before the run, of one run at a time, written atomically,
never anybody else's."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.boot.ending import machines_fault
from lab.boot.enter import outside
from lab.choices import listing
from lab.errors import LabError, UsageError

MANIFEST = ".p2slab-report"
"""A file that lists the files of the report, by which a later one knows what it may replace."""
_SHOWN = 3
"""Foreign files that are named."""


class Folder:
    """A directory in which a report's files, and no others, are. It is locked until `close`, or the
    end of the process."""

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        """Make it if it does not exist, and remove an earlier report. UsageError: it cannot be
        written, has files that are of no report, or is another run's."""
        self._directory = directory
        self._lock = -1
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._refuse_others()
            self._prepare(names)
        except OSError as error:
            exists = isinstance(error, FileExistsError)
            reason = "it is no directory" if exists else error.strerror or str(error)
            message = f"--report {outside(directory)} cannot be written: {reason}"
            self.close()
            raise UsageError(message, "name a directory that you may write") from None
        except UsageError:
            self.close()
            raise

    def close(self) -> None:
        """Let other runs have the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _refuse_others(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"--report {outside(self._directory)} is in use: another verify writes there",
                "wait until it has ended, or name another directory",
            ) from None
        except OSError:
            pass  # a file system that does not lock directories

    def _prepare(self, names: Sequence[str]) -> None:
        earlier = self._listed()
        self._refuse_foreign({MANIFEST, *earlier})
        self.write(MANIFEST, json.dumps({"files": [*earlier, *names]}).encode())
        for name in earlier:  # nobody shall take it for this run's, however this one ends
            (self._directory / name).unlink(missing_ok=True)
            self._temporary(name).unlink(missing_ok=True)
        self.write(MANIFEST, json.dumps({"files": list(names)}).encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the report, all of it or nothing; OSError."""
        temporary = self._temporary(name)
        try:
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:  # never through a link
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._directory / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _refuse_foreign(self, ours: set[str]) -> None:
        known = {*ours, *(self._temporary(name).name for name in ours)}
        foreign = sorted({entry.name for entry in self._directory.iterdir()} - known)
        if foreign:
            more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
            raise UsageError(
                f"--report {outside(self._directory)}: {listing(foreign[:_SHOWN])}{more} "
                "in it belong to no report, and nothing is written among them",
                "name a new or an empty directory, or one with an earlier report",
            )

    def _listed(self) -> list[str]:
        """The files of an earlier report; none if there is none."""
        try:
            names = json.loads((self._directory / MANIFEST).read_bytes())["files"]
            return [name for name in names if isinstance(name, str) and name == Path(name).name]
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # or it is none of ours
            return []

    def _temporary(self, name: str) -> Path:
        """The file that becomes it; an interrupted `write` may leave it."""
        return self._directory / f".{name}.tmp"


def failure_of(error: OSError, directory: Path, name: str) -> LabError:
    """Why a file of a report was not written, for people."""
    known = machines_fault(error)
    reason = error.strerror or str(error)
    message = f"the report is not whole: {outside(directory / name)}: {reason}"
    return LabError(message, known.remedy if known else "check the directory")
