"""Coverage-guided fuzzing: `targets/` says what must hold, `run.py` looks for bytes that break it, `regressions/` keeps those found."""
