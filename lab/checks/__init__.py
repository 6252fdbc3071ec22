"""Execution of the steps of `expect:`, the same for YAML, pytest and the control socket."""
