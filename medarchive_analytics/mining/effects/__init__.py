"""mining/effects."""
