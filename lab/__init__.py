"""The lab runner: builds labs from topology files and checks what they expect."""

VERSION = "0.1.0"
