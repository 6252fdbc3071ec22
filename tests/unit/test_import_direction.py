"""One direction for all imports, and what the purest parts do without."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.structure import graph
from tests.structure.floors import FLOORS

SOURCE = Path(__file__).parents[2]
LAUNCHER = ("lab.boot", "lab.choices", "lab.errors", "lab.boot.doctor", "lab.boot.verbs",
            "gateway.charon.datapath", "gateway.common.compiled", "lab.kernel.ppp",
            "lab.kernel.uml")  # fmt: skip
LAUNCHER_FILES = ("lab/choices.py", "lab/errors.py", "lab/__init__.py", "lab/boot/doctor.py",
                  "lab/boot/verbs.py", "gateway/common/compiled.py", "lab/kernel/ppp.py",
                  "lab/kernel/uml.py")  # fmt: skip
PURE = (
    "lab/topology",
    "gateway/arm/resource.py",
    "gateway/arm/rules/rulebook.py",
    "gateway/arm/sku.py",
)
NOT_PURE = {"asyncio", "socket", "subprocess", "pyroute2", "vici", "aiohttp", "lab.kernel",
            "lab.nodes", "lab.runtime", "lab.roles", "lab.checks", "lab.cli"}  # fmt: skip


def modules(package: str) -> list[Path]:
    return sorted((SOURCE / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever in the file."""
    names: set[str] = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            names.update(alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names.add(statement.module)
    return names


def test_nobody_imports_in_a_circle_or_upwards() -> None:
    arrows = graph.graph(graph.modules())
    assert graph.circles(arrows) == []
    assert graph.upwards(arrows, FLOORS) == []


def test_every_floor_has_modules_and_no_file_is_on_none() -> None:
    there = {graph.floor_of(name, FLOORS) for name in graph.modules()}
    assert there == set(FLOORS)


def test_circles_and_ways_upwards_are_found_in_every_kind_of_import(tmp_path: Path) -> None:
    """Of modules and of names in them, within functions, for types alone."""
    files = {
        "radius/__init__.py": "",
        "radius/a.py": "def f():\n    from radius import b",
        "radius/b.py": "if TYPE_CHECKING:\n    from radius.c import Thing",
        "radius/c.py": "import radius.a",
        "gateway/__init__.py": "",
        "gateway/d.py": "from radius.c import thing",
        "lab/__init__.py": "import gateway.d.something",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    arrows = graph.graph(graph.modules(tmp_path))
    (circle,) = graph.circles(arrows)
    assert set(circle) == {"radius.a", "radius.b", "radius.c"}
    assert graph.upwards(arrows, ("radius", "gateway", "lab")) == []
    assert graph.upwards(arrows, ("gateway", "radius")) == [
        "gateway.d imports radius.c, which is above it",
        "lab is on no floor",
    ]


def test_the_pure_core_does_no_input_or_output() -> None:
    pure = [path for path in (*modules("lab"), *modules("gateway"))
            if str(path.relative_to(SOURCE)).startswith(PURE)]  # fmt: skip
    assert len(pure) > 5
    wrong = {
        f"{path.relative_to(SOURCE)}: {name}"
        for path in pure
        for name in imports(path)
        if any(name == bad or name.startswith(f"{bad}.") for bad in NOT_PURE)
    }
    assert not wrong


def test_what_runs_in_a_node_s_own_kernel_imports_little() -> None:
    """There an import costs ten times what it costs here."""
    allowed = {
        *("lab.guest", "lab.kernel", "lab.kernel.sysctls"),
        *("gateway.common", "gateway.common.calls"),
    }
    light = {"__future__", "contextlib", "ctypes", "errno", "fcntl", "importlib", "json", "os",
             "select", "signal", "socket", "struct", "sys", "termios", "threading",
             "time"}  # fmt: skip
    for_types = {"collections.abc", "typing"}
    inside = [
        *modules("lab/guest"),
        *(
            SOURCE / f"{name.replace('.', '/')}.py"
            for name in ("gateway.common.calls", "lab.kernel.sysctls", "lab.nodes.probes")
        ),
    ]
    wrong = {
        f"{path.relative_to(SOURCE)}: {name}"
        for path in inside
        for name in imports(path) - allowed - light - for_types
        if not name.startswith("lab.guest.")
    }
    assert not wrong


def test_the_launcher_needs_the_standard_library_alone() -> None:
    import sys

    wrong = {
        f"{path.relative_to(SOURCE)}: {name}"
        for path in (*modules("lab/boot"), *(SOURCE / name for name in LAUNCHER_FILES))
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and name != "lab"
        and not name.startswith(LAUNCHER)
    }
    assert not wrong


def test_one_module_calls_the_c_library() -> None:
    """Besides it the launcher's, which also runs on Python 3.9."""
    assert having("CDLL(None") == {"gateway/common/calls.py", "lab/boot/syscalls.py"}


def having(text: str) -> set[str]:
    """Files of our packages in which the text stands."""
    return {
        str(path.relative_to(SOURCE))
        for package in ("gateway", "lab", "radius")
        for path in modules(package)
        if text in path.read_text()
    }


def test_one_module_says_what_can_be_shown() -> None:
    assert having(".isprintable()") == {"radius/printable.py"}


def test_the_framing_of_sstp_stands_once() -> None:
    numbers = {"4095", "0x0FFF", "0xFFF"}
    assert {
        str(path.relative_to(SOURCE))
        for package in ("gateway/sstp", "gateway/dataplane")
        for path in modules(package)
        if numbers & {word.strip("(),:;") for word in path.read_text().split()}
    } == {"gateway/dataplane/framing.py"}
