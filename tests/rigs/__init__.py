"""Shared by tests of labs: namespaces without a lab, benches, and a small lab."""
