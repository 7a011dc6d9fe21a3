"""Evidence checks: one file per check, found by scanning this package."""
