"""archive/sources."""
