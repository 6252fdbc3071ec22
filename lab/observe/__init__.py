"""Looking at a lab: captures, fingerprints."""
