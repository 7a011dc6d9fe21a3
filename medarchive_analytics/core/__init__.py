"""Settings, errors, identifiers, clocks and the filing standard; imports nothing else of this project."""
