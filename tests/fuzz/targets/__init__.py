"""One target per file; each says which property must hold of any bytes."""
