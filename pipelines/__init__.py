"""Reusable pipeline modules, one per arrow of the flow. A parameter is named like the node it takes."""
