"""From a recipe to weights: plan, streaming executor, in-memory materialiser, writer."""
