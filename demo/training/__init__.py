"""Training of the demo models: pictures and captions in, two towers out. Needs torch; nothing else of the project does."""
