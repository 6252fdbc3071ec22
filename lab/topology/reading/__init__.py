"""From YAML text to data, and from what is wrong with it to messages with file and line."""
