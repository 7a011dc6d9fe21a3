"""One file per identifier type; each has ``RECOGNIZER`` and is found by a package scan."""
