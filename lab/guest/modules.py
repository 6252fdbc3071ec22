"""Load kernel modules without modprobe, which costs 0.1 s a call in user-mode Linux."""

from __future__ import annotations

import os

from gateway.common import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def load_modules(base: str, names: Iterable[str]) -> None:
    """Load these with what they depend on; `base` has a directory for each kernel release."""
    directory = f"{base}/{os.uname().release}"
    with open(f"{directory}/modules.dep", "rb") as file:  # noqa: PTH123 (pathlib costs 40 ms here)
        table = file.read()
    with open("/proc/modules", "rb") as file:  # noqa: PTH123
        loaded = {line.split()[0].replace(b"_", b"-") for line in file}
    for name in names:
        for path in _with_needs(table, name):
            key = path.rpartition(b"/")[2].removesuffix(b".ko").replace(b"_", b"-")
            if key not in loaded:
                loaded.add(key)
                calls.load_module(f"{directory}/{path.decode()}")


def _with_needs(table: bytes, name: str) -> list[bytes]:
    """Paths in the order of loading; a line of modules.dep is `path: need of path, its need...`."""
    at = table.find(f"/{name}.ko:".encode())
    if at < 0:
        raise LookupError(f"this kernel has no module {name}")
    line = table[table.rfind(b"\n", 0, at) + 1 : table.index(b"\n", at)]
    path, _, needs = line.partition(b":")
    return [*reversed(needs.split()), path]
