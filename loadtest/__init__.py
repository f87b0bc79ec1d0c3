"""Load tests: clients, runners of the field's own tools, baselines, and the benchmark that puts them into ratios."""
