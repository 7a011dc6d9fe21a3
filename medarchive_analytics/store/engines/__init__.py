"""store/engines."""
