"""`python -m gateway.eap_tls.worker`: started by gateway.eap_tls.service, as root, with its channel
open."""

from __future__ import annotations

import sys

from gateway.common.quick_start import hurry

if __name__ == "__main__":
    hurry()
    from gateway.eap_tls.worker.program import main

    sys.exit(main())
