"""What this machine is, and which profile fits it."""
