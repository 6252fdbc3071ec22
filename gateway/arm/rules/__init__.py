"""Azure's rules, by what they are about; `gateway.arm.rules.rulebook` has them all."""
