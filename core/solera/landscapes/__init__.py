"""A family and its tasks: coordinates to scores, and the explorers that choose coordinates."""
