"""Who is admitted, with which address, and why not; common to all protocols."""
