"""Code that runs inside a user-mode Linux node. It imports little of the standard library and
nothing else, because Python starts ten times slower there."""
