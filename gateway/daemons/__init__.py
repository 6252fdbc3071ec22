"""Supervised daemons: started, checked by a heartbeat, restarted, their logs rotated."""
