"""`verify --report DIR`: HTML pages, JSON and JUnit XML of the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.boot.enter import outside
from lab.report.folder import Folder, failure_of
from lab.report.junit import junit
from lab.report.page import index_page, page
from lab.report.tail import tail
from lab.report.verdict import as_json
from lab.runtime.directory import RunDirectory

if TYPE_CHECKING:
    from lab.errors import LabError
    from lab.report.verdict import Verdict
    from lab.topology.load import TopologyFile

INDEX, JSON, JUNIT = "index.html", "report.json", "junit.xml"


class Report:
    """The report of one run, written as the verdicts come.

    A file that cannot be written is no reason to end the run: `failure` says so.
    """

    def __init__(self, directory: Path, topologies: Sequence[TopologyFile]) -> None:
        """Prepare the directory; UsageError."""
        self.failure: LabError | None = None
        self._topologies = topologies
        self._documents: list[dict[str, Any]] = []
        several = len(topologies) > 1
        names = (each.topology.name for each in topologies)
        self._pages = [f"{number}-{name}.html" for number, name in enumerate(names, 1)]
        self._pages = self._pages if several else [INDEX]
        self._several = several
        self._directory = directory
        self._folder = Folder(directory, [*dict.fromkeys((*self._pages, INDEX)), JSON, JUNIT])

    @property
    def start(self) -> str:
        """The file to begin with, by the machine's own name."""
        return outside(self._directory / INDEX)

    def add(self, verdict: Verdict) -> None:
        """Write the page of the next topology, whose logs may not be there for long."""
        place = len(self._documents)
        document = verdict.as_data()
        self._documents.append(document)
        lines = tail(RunDirectory(verdict.name).logs, verdict.secrets)
        back = INDEX if self._several else ""
        text = page(document, self._topologies[place].topology, lines, back)
        self._write(self._pages[place], text.encode())

    def finish(self) -> None:
        """Write what is about all; then other runs may have the directory."""
        if self._several:
            self._write(INDEX, index_page(self._documents, self._pages).encode())
        self._write(JSON, f"{as_json(self._documents)}\n".encode())
        self._write(JUNIT, junit(self._documents))
        self._folder.close()

    def _write(self, name: str, content: bytes) -> None:
        try:
            self._folder.write(name, content)
        except OSError as error:
            self.failure = self.failure or failure_of(error, self._directory, name)
