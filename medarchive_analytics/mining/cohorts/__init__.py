"""mining/cohorts."""
