"""Azure's rules, grouped by subject; `gateway.arm.rules.rulebook` lists them all."""
