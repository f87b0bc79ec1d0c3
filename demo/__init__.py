"""The demo: drawn scenes, the small CLIP trained on them, and a run that searches an album of them through Triton."""
