"""Daemons kept alive: started, asked whether they answer, their logs kept small."""
