"""From a topology to the plan of its lab: pure and deterministic."""
