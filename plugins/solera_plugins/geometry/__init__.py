"""Curves, directions and subspaces of weight space: the methods that families of models are recipes of."""
