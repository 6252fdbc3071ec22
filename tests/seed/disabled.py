"""Functions that find nothing: mutations of lab/explain, for tests of what recognises a cause."""

from __future__ import annotations

import ast
from pathlib import Path

from lab.cli.seed_coverage import Mutation

_EMPTY = {"str": '""', "bool": "False", "list": "[]", "dict": "{}", "Mapping": "{}",
          "Sequence": "()", "Iterator": "iter(())"}  # fmt: skip
"""What functions return that found nothing, by the type that they say."""


def disabled(checkout: Path, name: str, layer: str) -> Mutation:
    """`name`: `module.function` of lab.explain. A function that always finds something returns a
    finding of this layer that says nothing. ValueError: there is no such function, or nothing is
    no answer of its type."""
    module, _, function = name.partition(".")
    file = f"lab/explain/{module}.py"
    path = checkout / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = [
        one
        for one in ast.walk(ast.parse(text))
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == function
    ]
    if len(found) != 1:
        raise ValueError(f"{name}: {len(found)} functions of this name in {file}")
    whole = ast.get_source_segment(text, found[0]) or ""
    returned = _nothing(name, found[0].returns, layer)
    return Mutation.model_validate({
        "in": file, "text": whole, "becomes": _returning(whole, found[0], returned)
    })  # fmt: skip


def _returning(whole: str, function: ast.FunctionDef | ast.AsyncFunctionDef, value: str) -> str:
    """The function's text with this value returned before anything else; what follows stays, for a
    generator is one by its `yield`."""
    lines = whole.splitlines(keepends=True)
    first = function.body[0]
    at = first.lineno - function.lineno
    indent = " " * first.col_offset
    known = f"{indent}from lab.explain.model import Finding\n"
    return "".join([*lines[:at], known, f"{indent}return {value}\n", *lines[at:]])


def _nothing(name: str, annotation: ast.expr | None, layer: str) -> str:
    """Python's text of it."""
    match annotation:
        case ast.Constant(value=None):
            return "None"
        case ast.BinOp(right=ast.Constant(value=None)):
            return "None"
        case ast.Name(id="Finding"):
            return f'Finding("{layer}", "failed")'
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=parts)):
            if isinstance(parts[-1], ast.Constant):
                return "()"
            return f"({', '.join(_nothing(name, part, layer) for part in parts)})"
        case ast.Name(id=kind) | ast.Subscript(value=ast.Name(id=kind)) if kind in _EMPTY:
            return _EMPTY[kind]
    said = ast.unparse(annotation) if annotation else "nothing"
    raise ValueError(f"{name}: returns {said}, and no value of that means that it found nothing")
