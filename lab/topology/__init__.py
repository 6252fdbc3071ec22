"""What a topology file may say, and the plan it becomes. Pure: no I/O but reading the file."""
