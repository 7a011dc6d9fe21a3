"""dashboards/steward."""
