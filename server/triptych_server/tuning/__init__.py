"""Find the config that is best on this machine: knobs, a load to measure each point under, and an optimiser that chooses the next."""
