"""Models: an original graph -> the served graph (checked), and a model folder -> the repository."""
