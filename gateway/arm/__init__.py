"""Azure's ARM documents: their models, and the rules by which Azure refuses them."""
