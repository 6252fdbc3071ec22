"""Whether proofs can fail: `./p2slab test --mutations [ROW ...]`.

Every mutation of tests/seed/statements.yaml is made in a copy of the checkout, alone, and what it
must break is run there. Exit code 1: something does not pass without a mutation, or still passes
with its own; 2: a row that does not exist, or a place of the code that is no more.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from lab.boot.source import files_of
from lab.cli.seed_coverage import Mutation, Proof, statements

PASSED, FAILED, REFUSED, ABSENT = "passed", "failed", "refused by validate", "not run"
CAUGHT = (FAILED, REFUSED)
LIMIT = 900
"""Seconds for a topology, or for all tests of a mutation."""
ROWS = re.compile(r"(?P<first>[0-9]+)(-(?P<last>[0-9]+))?")
_AGES = itertools.count(1)

Run = Callable[[Path, Iterable[Proof]], dict[str, str]]
"""What became of each proof in a checkout, by what it shows."""


def main(arguments: list[str]) -> int:
    """The exit code."""
    source = Path(os.environ["P2SLAB_SOURCE"])
    parts = statements(source)
    proofs = {
        number: row.proof for rows in parts.values() for number, row in rows.items() if row.proof
    }
    try:
        chosen = numbers(arguments) or list(proofs)
        wrong = [f"{number} (no statement that is shown)" for number in chosen
                 if number not in proofs]  # fmt: skip
    except ValueError as error:
        wrong = [str(error)]
    if wrong:
        return refuse(f"not a row: {', '.join(wrong)}; rows are as 42 or 60-71")
    chosen_proofs = {number: proofs[number] for number in chosen}
    flaws = [f"row {number}: {flaw}" for number, proof in chosen_proofs.items()
             if (flaw := flaw_of(source, proof))]  # fmt: skip
    if flaws:
        return refuse("\n".join(flaws))
    with copy_of(source) as place:
        return 0 if judge(place, chosen_proofs) else 1


def refuse(words: str) -> int:
    print(words, file=sys.stderr)
    return 2


def numbers(words: list[str]) -> list[int]:
    """The rows that are named; ValueError for what names none."""
    found = [(word, ROWS.fullmatch(word)) for word in words]
    if wrong := [word for word, match in found if not match]:
        raise ValueError(", ".join(wrong))
    ranges = (range(int(match["first"]), int(match["last"] or match["first"]) + 1)
              for _, match in found if match)  # fmt: skip
    return sorted(set(itertools.chain.from_iterable(ranges)))


def flaw_of(checkout: Path, mutation: Mutation) -> str | None:
    """Why the mutation cannot be made; None if it can."""
    path = checkout / mutation.file
    if not path.is_file():
        return f"there is no file {mutation.file}"
    count = path.read_text(encoding="utf-8").count(mutation.text)
    if count != 1:
        return f"{mutation.text!r} is {count} times in {mutation.file}, and must be once"
    return "the mutation changes nothing" if mutation.text == mutation.becomes else None


@contextmanager
def copy_of(source: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="p2slab-mutations-") as directory:
        for name in files_of(str(source)):
            target = Path(directory, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target, follow_symlinks=False)
        yield Path(directory)


@contextmanager
def applied(checkout: Path, mutation: Mutation) -> Iterator[None]:
    path = checkout / mutation.file
    original = path.read_text(encoding="utf-8")
    try:
        _write(path, original.replace(mutation.text, mutation.becomes))
        yield
    finally:
        _write(path, original)


def _write(path: Path, text: str) -> None:
    """With an age that no earlier text had: Python knows a file again by its age and size."""
    path.write_text(text, encoding="utf-8")
    age = 10**9 + next(_AGES)
    os.utime(path, (age, age))


def judge(checkout: Path, proofs: dict[int, Proof], run: Run | None = None) -> bool:
    """Say of each row whether its mutation is caught; whether all are."""
    run = run or outcomes
    good = 0
    sound: dict[str, str] = {}
    by_mutation: dict[Mutation, list[int]] = defaultdict(list)
    for number, proof in proofs.items():
        by_mutation[proof.mutation].append(number)
    for mutation, rows in by_mutation.items():
        kinds = {_kind(proofs[number]) for number in rows}
        new = [one for one in proofs.values() if _kind(one) in kinds and one.shows not in sound]
        sound |= run(checkout, new) if new else {}
        with applied(checkout, mutation):
            found = run(checkout, [proofs[number] for number in rows])
        for number in rows:
            proof = proofs[number]
            before, after = sound[proof.shows], found[proof.shows]
            good += before == PASSED and after in CAUGHT
            if before != PASSED:
                say("unsound", number, f"{before} without mutation", proof)
            else:
                say("caught" if after in CAUGHT else "NOT CAUGHT", number, after, proof)
    print(f"{good} of {len(proofs)} caught")
    return good == len(proofs)


def _kind(proof: Proof) -> str:
    """What is run at once without mutations: a topology, or all tests."""
    return "tests" if proof.place.endswith(".py") else proof.place


def say(word: str, number: int, outcome: str, proof: Proof) -> None:
    print(f"{word:<10}  {number:>3}  {outcome}: {proof.shows}", flush=True)


def outcomes(checkout: Path, proofs: Iterable[Proof]) -> dict[str, str]:
    """Run tests and topologies, each once."""
    names: dict[str, set[str]] = defaultdict(set)
    for proof in proofs:
        names[proof.place].add(proof.name)
    tests = sorted(f"{place}::{name}" for place, of in names.items() if place.endswith(".py")
                   for name in of)  # fmt: skip
    found = pytest_outcomes(checkout, tests) if tests else {}
    for place, steps in names.items():
        if not place.endswith(".py"):
            told = topology_outcomes(checkout, place)
            found |= {f"{place}::{step}": told.get(step, told.get("", ABSENT)) for step in steps}
    return found


def pytest_outcomes(checkout: Path, tests: list[str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report.xml")
        options = ("-n", "0", "-q", "-o", f"cache_dir={directory}/cache", f"--junitxml={report}")
        p2slab(checkout, "test", *options, *tests)
        text = report.read_text(encoding="utf-8") if report.exists() else "<testsuites />"
    return of_report(text, tests)


def of_report(text: str, tests: list[str]) -> dict[str, str]:
    """By JUnit's XML. An error, as of a module that cannot be imported, is no failure."""
    seen: dict[str, set[str]] = defaultdict(set)
    for case in ET.fromstring(text).iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        tags = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = FAILED if tags == {"failure"} else ABSENT if tags else PASSED
        seen[name].add(outcome)
        seen[name.partition("[")[0]].add(outcome)
    return {test: next((word for word in (FAILED, ABSENT, PASSED) if word in seen[test]), ABSENT)
            for test in tests}  # fmt: skip


def topology_outcomes(checkout: Path, topology: str) -> dict[str, str]:
    done = p2slab(checkout, "verify", "--json", topology)
    return of_verdict(done.returncode, done.stdout)


def of_verdict(code: int, text: str) -> dict[str, str]:
    """By step; of a topology that is refused, for the step "". Of equal steps all must hold."""
    if code == 2:
        return {"": REFUSED}
    try:
        rows = json.loads(text)[0]["results"]
    except (ValueError, LookupError):
        return {}
    failed = {row["text"] for row in rows if not row["held"]}
    return {row["text"]: FAILED if row["text"] in failed else PASSED for row in rows}


def p2slab(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A verb of this checkout, to its end."""
    return subprocess.run(
        ["./p2slab", *arguments],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # removes the copy
    sys.exit(main(sys.argv[1:]))
