"""Shared parts of the unprivileged worker processes, which parse untrusted bytes."""
