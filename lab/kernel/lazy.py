"""Import submodules of a package without its `__init__`; the rest of it only if somebody asks.

`import pyroute2` costs 100-150 ms because its `__init__` imports all that it has; the parts used
here cost a tenth. Whoever wants more (`from pyroute2 import IPRoute`) still gets it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def lazy_package(name: str) -> None:
    """From now on `import NAME.part` does not run NAME's own `__init__`."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no package {name}", name=name)
    package = importlib.util.module_from_spec(spec)

    def missing(attribute: str) -> Any:
        return _late_attribute(package, spec, attribute)

    package.__dict__["__getattr__"] = missing
    sys.modules[name] = package


def _late_attribute(package: ModuleType, spec: ModuleSpec, attribute: str) -> Any:
    """A submodule that was not imported yet, or what the package's own `__init__` defines."""
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    if importlib.util.find_spec(f"{spec.name}.{attribute}"):
        return importlib.import_module(f"{spec.name}.{attribute}")
    if package.__dict__.pop("__getattr__", None) and spec.loader:
        spec.loader.exec_module(package)
        if attribute in package.__dict__:
            return package.__dict__[attribute]
    raise AttributeError(f"module {spec.name!r} has no attribute {attribute!r}")
