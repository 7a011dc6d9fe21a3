"""mining/patterns."""
