"""The docstrings of models' attributes, as people are told them.

pydantic would read every module's source for them at import (use_attribute_docstrings), a third of
the time that a verb has; they are wanted for the JSON Schema and for remedies alone.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


def description(model: type[BaseModel], field: str) -> str:
    """What is written below a field in its class, or in that of a base; empty for nothing."""
    written = (_of_module(kind.__module__).get((kind.__name__, field)) for kind in model.__mro__)
    return next(filter(None, written), "")


@cache
def _of_module(name: str) -> dict[tuple[str, str], str]:
    """By class and attribute; of this project's modules only."""
    if not name.startswith("lab."):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {
        (kind.name, field.target.id): inspect.cleandoc(text.value.value)
        for kind in tree.body
        if isinstance(kind, ast.ClassDef)
        for field, text in pairwise(kind.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
