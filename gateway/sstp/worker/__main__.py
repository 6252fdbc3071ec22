"""`python -m gateway.sstp.worker`: started by gateway.sstp.engine, as root, with all descriptors
open."""

from __future__ import annotations

import sys

from gateway.common.quick_start import hurry

if __name__ == "__main__":
    hurry()
    from gateway.sstp.worker.program import main

    sys.exit(main())
