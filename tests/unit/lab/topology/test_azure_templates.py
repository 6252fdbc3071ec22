"""Documents of public templates: accepted, or refused for what the lab lacks and nothing else."""

from __future__ import annotations

import pytest

from tests.rigs.azure_templates import VECTORS, Template, templates
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import problems


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.file)
def test_a_template_has_its_answer(template: Template) -> None:
    found = [said for _, _, said in problems(template.topology())]
    assert len(found) == len(template.says), found
    assert all(map(str.startswith, found, template.says)), found
    if template.over:
        plan_of(template.topology())


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.file)
def test_an_answer_is_one_of_two(template: Template) -> None:
    assert bool(template.over) != bool(template.says)
    assert (VECTORS / f"{template.file}.json").exists()
