"""Between Triton's Python API and our code: what no runtime and no model should repeat."""
