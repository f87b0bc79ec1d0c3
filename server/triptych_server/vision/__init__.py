"""Pictures: encoded bytes -> the small uint8 tensors that the vision models take. Pure functions, no Triton."""
