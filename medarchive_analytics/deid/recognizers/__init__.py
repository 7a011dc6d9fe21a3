"""deid/recognizers."""
