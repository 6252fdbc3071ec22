"""Documents of public templates: a client connects to the gateway that they describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.runtime.lab import Lab
from tests.rigs.azure_templates import Template, templates
from tests.rigs.whole_lab import in_a_lab

ACCEPTED = [template for template in templates() if template.over]


@pytest.mark.parametrize("template", ACCEPTED, ids=lambda template: template.file)
def test_a_client_connects(template: Template, tmp_path: Path) -> None:
    async def connects(lab: Lab) -> None:
        events: list[object] = []
        assert await lab.run(lab.plan.steps, events.append), events

    in_a_lab(tmp_path, template.topology(), connects)
