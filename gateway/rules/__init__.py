"""Azure's rules, by what they are about; `gateway.rulebook` has them all."""
