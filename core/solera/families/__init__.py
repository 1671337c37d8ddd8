"""Coordinates to weights: a recipe with free variables, lines and planes among them."""
