"""Other measurements of weights."""
