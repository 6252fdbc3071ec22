"""The verbs and what each does. Standard library only: the launcher lists them too."""

VERBS = {
    "verify": "Build the lab, connect the clients, check every expectation, take it down.",
    "up": "Build the lab and leave it running.",
    "down": "Take a running lab down.",
    "status": "Show running labs, or one lab in detail.",
    "exec": "Run a program in a node of a running lab.",
    "shell": "Open a shell in a node of a running lab.",
    "fault": "Have something go wrong in a running lab, for a time or until it is ended.",
    "approve": "Say yes on a user's telephone, when a second factor asks.",
    "deny": "Say no.",
    "validate": "Check topology files without building anything.",
    "doctor": "Say what this machine can do, and what to install for the rest.",
    "pki": "Make certificate authorities and client certificates.",
    "schema": "Print the JSON Schema of topology files.",
    "root": "Show, prune, export or import the private root.",
    "image": "Write an OCI image of the private root and this checkout, for podman and docker.",
    "test": "Run the tests.",
    "bench": "Run the benchmarks.",
}

OF_THE_LAUNCHER = ("doctor", "root", "image")
"""Carried out before there is a private root, with parsers of their own."""

OF_A_CHECKOUT = ("bench", "image")
"""Not there where p2slab was installed by pip; nor is `test` without tests of the user's."""
