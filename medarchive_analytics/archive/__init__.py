"""The identified archive: sources, intake, vault, catalogue and the reading room. Research code never imports it."""
