"""The attribute docstrings of models.

pydantic would read every module's source for them at import (use_attribute_docstrings), a third of
a verb's run time; only the JSON Schema and the remedies of errors need them.
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
    """The docstring of a field in its class or a base class; empty if there is none."""
    written = (_of_module(kind.__module__).get((kind.__name__, field)) for kind in model.__mro__)
    return next(filter(None, written), "")


@cache
def _of_module(name: str) -> dict[tuple[str, str], str]:
    """Docstrings by class and attribute; only of this project's modules."""
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
