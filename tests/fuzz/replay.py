"""One input again: `python -m tests.fuzz.replay TARGET FILE`, for those that need sanitizers."""

import sys
from pathlib import Path

from tests.fuzz.engine import execute
from tests.fuzz.registry import target

if __name__ == "__main__":
    execute(target(sys.argv[1]), Path(sys.argv[2]).read_bytes())
