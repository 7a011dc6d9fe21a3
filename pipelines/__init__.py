"""Reusable pipeline modules, one per arrow of the flow. Functions are Hamilton nodes: names of parameters are names of functions."""
