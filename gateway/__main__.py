"""`python -m gateway`: a P2S VPN gateway as an ordinary program."""

from __future__ import annotations

import sys

from gateway.common.quick_start import hurry

if __name__ == "__main__":
    hurry()
    from gateway.program import main

    sys.exit(main())
