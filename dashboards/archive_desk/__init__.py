"""dashboards/archive_desk."""
