"""The verdict: terminal table and JSON."""
