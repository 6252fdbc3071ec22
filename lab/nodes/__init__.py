"""Nodes: the computers of a lab, in which programs run."""
