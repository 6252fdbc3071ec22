"""The verbs and their summaries. Standard library only: the launcher lists them too."""

VERBS = {
    "verify": "Build the lab, connect the clients, check every expectation, take it down.",
    "up": "Build the lab and leave it running.",
    "down": "Take a running lab down.",
    "status": "Show running labs, or one lab in detail.",
    "exec": "Run a program in a node of a running lab.",
    "shell": "Open a shell in a node of a running lab.",
    "fault": "Begin or end a fault in a running lab.",
    "approve": "Approve a user's second factor.",
    "deny": "Deny a user's second factor.",
    "validate": "Check topology files without building anything.",
    "doctor": "Check what this machine can do, and what to install for the rest.",
    "pki": "Make certificate authorities and client certificates.",
    "schema": "Print the JSON Schema of topology files.",
    "root": "Show, prune, export or import the private root.",
    "image": "Write an OCI image of the private root and this checkout, for podman and docker.",
    "test": "Run the tests.",
    "bench": "Run the benchmarks.",
}

OF_THE_LAUNCHER = ("doctor", "root", "image")
"""Verbs that run without a private root; their help texts are in lab/boot."""
