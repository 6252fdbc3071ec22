"""Azure's rules, by what they are about; `gateway.arm.rulebook` has them all."""
