"""What tests of a lab share: its ground without a lab, and a small lab."""
