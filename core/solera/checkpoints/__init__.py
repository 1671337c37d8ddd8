"""Weights on disk, opened lazily: a read-only mapping from names to tensors."""
