"""What the tests need besides pytest."""
