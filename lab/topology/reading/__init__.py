"""From YAML text to data, and from problems to messages with file and line."""
