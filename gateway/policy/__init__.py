"""Who may come in, which address they get, and which packets pass. One for all protocols."""
