"""Services to compare with."""
