"""The launcher runs on any Python from 3.9, with only its standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[4]
LAUNCHER = [
    CHECKOUT / "p2slab",
    *sorted((CHECKOUT / "lab" / "boot").glob("*.py")),
    *(CHECKOUT / "lab" / name for name in ("__init__.py", "choices.py", "errors.py")),
    *(CHECKOUT / "lab" / "kernel" / name for name in ("__init__.py", "ppp.py", "uml.py")),
    *(
        CHECKOUT / "gateway" / name
        for name in (
            "__init__.py",
            "common/__init__.py",
            "common/compiled.py",
            "common/errors.py",
            "policy/__init__.py",
            "policy/protocols.py",
            "charon/__init__.py",
            "charon/datapath.py",
        )
    ),
]


def imports(tree: ast.AST) -> set[str]:
    """Modules imported anywhere but for type checking only, and not inside ESP's route setting."""
    found = set()
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


PYTHONS = {
    "ours": Path(sys.executable),
    **{path.parents[1].name: path for path in Path.home().glob(".pyenv/versions/3.*/bin/python")},
}
"""The private root's, and what this machine's user has of others: 3.9 to 3.14, or older ones."""


@pytest.mark.parametrize("name", PYTHONS)
def test_every_part_of_the_launcher_is_imported_by_this_python(name: str) -> None:
    python = str(PYTHONS[name])
    asked = "import sys; print(sys.version_info >= (3, 9))"
    version = subprocess.check_output([python, "-c", asked])
    modules = [str(file.relative_to(CHECKOUT).with_suffix("")).replace("/", ".")
               for file in LAUNCHER if file.suffix == ".py"]  # fmt: skip
    program = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import {', '.join(modules)}"
    for command in (["-c", program], [str(CHECKOUT / "p2slab"), "--version"]):
        done = subprocess.run(
            [python, "-IBS", *command], capture_output=True, text=True, check=False
        )
        if version == b"True\n":
            assert done.returncode == 0, done.stderr
    if version == b"False\n":
        assert "Python 3.9 or later is needed" in done.stderr


@pytest.mark.parametrize("file", LAUNCHER, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_the_launcher_is_written_in_python_3_9(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("file", LAUNCHER, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_the_launcher_imports_the_standard_library_alone(file: Path) -> None:
    ours = {str(path.relative_to(CHECKOUT).with_suffix("")).replace("/", ".") for path in LAUNCHER}
    packages = {
        "lab",
        "lab.boot",
        "lab.kernel",
        "gateway",
        "gateway.common",
        "gateway.policy",
        "gateway.charon",
    }
    top_level = ast.Module(
        [
            node
            for node in ast.parse(file.read_text()).body
            if not isinstance(node, ast.FunctionDef)
        ],
        [],
    )
    examined = top_level if file.name == "datapath.py" else ast.parse(file.read_text())
    foreign = {
        name
        for name in imports(examined)
        if name.split(".")[0] not in sys.stdlib_module_names and name not in ours | packages
    }
    assert foreign == set()
