"""dashboards/outcomes."""
