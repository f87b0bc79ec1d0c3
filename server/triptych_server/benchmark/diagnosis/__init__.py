"""Find the bottleneck: a target on a running Triton -> what each step reaches by itself, as shares, and sentences on what to change."""
