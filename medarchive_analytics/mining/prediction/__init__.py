"""mining/prediction."""
