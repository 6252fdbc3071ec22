"""The vocabulary of `expect:`, one for YAML, pytest and the control socket."""
