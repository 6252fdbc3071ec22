"""`p2slab test`: linters, types and all tests; arguments are passed on to pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from lab.boot.ending import INTERRUPTED
from lab.boot.preflight import require_lab

CHECKS = (
    ("ruff format", [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."]),
    ("ruff check", [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "."]),
    ("mypy --strict", [sys.executable, "-m", "mypy", "--no-error-summary"]),
)


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.option(
    "--fuzz",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Fuzz the parsers of untrusted bytes on all cores; exit code 1 if anything is found.",
)
@click.option(
    "--mutations",
    is_flag=True,
    help="Change the code as the proofs of docs/seed-coverage.md say, and see them fail.",
)
@click.option("--generate", is_flag=True, help="Regenerate the files that are made from the code.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context,
    fuzz: float | None,
    mutations: bool,
    generate: bool,
    pytest_arguments: tuple[str, ...],
) -> None:
    """Run the linters, the types and all tests; or pytest with the given arguments.

    With --fuzz the arguments are targets (docs/fuzzing.md), with --mutations rows of
    docs/seed-coverage.md, such as 42 or 60-71.
    """
    if generate:
        from lab.cli.generate import write  # noqa: PLC0415 (every verb's modules)

        write(Path(os.environ["P2SLAB_SOURCE"]))
        return
    if fuzz is not None:
        argv = [sys.executable, "-m", "tests.fuzz.run", str(fuzz), *pytest_arguments]
        ctx.exit(_run(argv, Path(os.environ["P2SLAB_SOURCE"])))
    if mutations:
        argv = [sys.executable, "-m", "tests.seed.mutate", *pytest_arguments]
        ctx.exit(_run(argv, Path(os.environ["P2SLAB_SOURCE"])))
    if not pytest_arguments:
        require_lab(tun=True)
    # A caller's paths are relative to the caller's directory, ours to the checkout.
    here = _here() if _name_a_file(pytest_arguments) else Path(os.environ["P2SLAB_SOURCE"])
    checks = [] if pytest_arguments else [Check(name, argv, here) for name, argv in CHECKS]
    arguments = pytest_arguments or ("--durations=10",)
    code = _run([sys.executable, "-m", "pytest", "-p", "lab.pytest_plugin", *arguments], here)
    failed = [check.name for check in checks if not check.passes()]
    if failed:
        click.echo(f"also failed: {', '.join(failed)}", err=True)
    ctx.exit(code or len(failed))


def _run(argv: list[str], here: Path) -> int:
    """Run a program as `_runner`; its exit code. Ctrl-C reaches it by itself, because it is on the
    same terminal; other signals are forwarded. It has all the time that it needs to end."""
    # Whatever lies in the current directory is no module, also for processes that pytest starts.
    env = {**os.environ, "LOGNAME": _runner(), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(argv, cwd=here, env=env) as program:
        try:
            return program.wait()
        except KeyboardInterrupt as end:
            if getattr(end, "code", INTERRUPTED) != INTERRUPTED:
                program.terminate()
            program.wait()
            raise


def _runner() -> str:
    """The user on the machine, where everybody is root in here: pytest names its directory in /tmp
    by the user, and refuses another's."""
    inside, outside, _ = Path("/proc/self/uid_map").read_text().splitlines()[0].split()
    return f"p2slab-{outside if inside == '0' else os.getuid()}"


def _name_a_file(arguments: tuple[str, ...]) -> bool:
    return any(Path(argument.partition("::")[0]).exists() for argument in arguments)


def _here() -> Path:
    """The current directory; if it is in the checkout, at the path that nodes see too, because
    modules imported from there name files for nodes."""
    source, here = Path(os.environ["P2SLAB_SOURCE"]), Path.cwd()
    for parent in (here, *here.parents):
        if parent.samefile(source):
            return source / here.relative_to(parent)
    return here


class Check:
    """A linter that runs beside the tests."""

    def __init__(self, name: str, argv: list[str], here: Path) -> None:
        self.name = name
        self._program = subprocess.Popen(
            argv, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def passes(self) -> bool:
        """Wait for it and print its output; whether it found no problem."""
        output, _ = self._program.communicate()
        passed = self._program.returncode == 0
        click.echo(f"{self.name}: {'ok' if passed else 'failed'}\n{output}", err=True, nl=False)
        return passed
