"""Explorers: a grid, and a search for trade-offs."""
