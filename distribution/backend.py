"""Builds p2slab's wheel and sdist (PEP 517 and 660), with nothing but the standard library.

A wheel is a zip of the packages and of a few lines about them (PEP 427): written here, it holds
every file of theirs that git knows, the topologies beside them, and the commit. setuptools would
want each kind of data file listed, and a command of ours for the commit; and neither it nor
`wheel` would be at hand where there is no network.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import sys
import tarfile
import zipfile
from typing import Any

from lab import VERSION
from lab.boot.source import COMMIT, PACKAGES, commit_of, files_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NAME = f"p2slab-{VERSION}"
_INFO = f"{_NAME}.dist-info"
_WHEEL = "Wheel-Version: 1.0\nGenerator: p2slab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_MOVED = "lab/topologies"
"""Where the topologies are in a wheel (lab.boot.source.topologies)."""


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,  # noqa: ARG001 (PEP 517's)
    metadata_directory: str | None = None,  # noqa: ARG001 (as above)
) -> str:
    """Write the wheel into the directory; its name."""
    members = {}
    for name in files_of(_SOURCE):
        top, _, rest = name.partition("/")
        if top in PACKAGES or top == "topologies":
            members[f"{_MOVED}/{rest}" if top == "topologies" else name] = _read(name)
    return _write_wheel(wheel_directory, {**members, COMMIT: _commit()})


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,  # noqa: ARG001 (PEP 660's)
    metadata_directory: str | None = None,  # noqa: ARG001 (as above)
) -> str:
    """The same with a reference to this checkout in place of the files."""
    return _write_wheel(wheel_directory, {"p2slab.pth": f"{_SOURCE}\n".encode()})


def build_sdist(
    sdist_directory: str,
    config_settings: dict[str, Any] | None = None,  # noqa: ARG001 (PEP 517's)
) -> str:
    """Write all files of the checkout that git knows, and the commit; the archive's name."""
    target = f"{_NAME}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, target), "w:gz") as archive:
        for name in files_of(_SOURCE):
            archive.add(os.path.join(_SOURCE, name), f"{_NAME}/{name}", recursive=False)
        for name, content in {"PKG-INFO": _metadata(), COMMIT: _commit()}.items():
            member = tarfile.TarInfo(f"{_NAME}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target


def _write_wheel(directory: str, members: dict[str, bytes]) -> str:
    described = {
        **members,
        f"{_INFO}/METADATA": _metadata(),
        f"{_INFO}/WHEEL": _WHEEL.encode(),
        f"{_INFO}/entry_points.txt": _entry_points(),
        f"{_INFO}/licenses/LICENSE": _read("LICENSE"),
    }
    target = f"{_NAME}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, target), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**described, f"{_INFO}/RECORD": _record(described)}.items():
            member = zipfile.ZipInfo(name)  # of 1980: what is the same has the same bytes
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return target


def _record(members: dict[str, bytes]) -> bytes:
    """RECORD: every file with its digest and size."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow((name, f"sha256={digest}", len(content)))
    rows.writerow((f"{_INFO}/RECORD", "", ""))
    return text.getvalue().encode()


def _metadata() -> bytes:
    """METADATA (core metadata 2.4), the README behind it."""
    project = _project()
    fields = {
        "Metadata-Version": "2.4",
        "Name": project["name"],
        "Version": VERSION,
        "Summary": project["description"],
        "License-Expression": project["license"],
        "License-File": "LICENSE",
        "Requires-Python": project["requires-python"],
        "Description-Content-Type": "text/markdown",
    }
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return lines.encode() + b"\n" + _read(project["readme"])


def _entry_points() -> bytes:
    project = _project()
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()), "")
    ]
    return "\n".join(lines).encode()


def _project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(_read("pyproject.toml").decode())
    project: dict[str, Any] = table["project"]
    return project


def _commit() -> bytes:
    return f"{commit_of(_SOURCE)}\n".encode()


def _read(name: str) -> bytes:
    with open(os.path.join(_SOURCE, name), "rb") as file:
        return file.read()
