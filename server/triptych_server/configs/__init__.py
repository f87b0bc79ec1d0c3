"""Model configs: read, merge with a hardware profile, generate `configs/<profile>.pbtxt`, edit without losing comments."""
