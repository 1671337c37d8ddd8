"""Tensors below any model: specs, dtypes, exact reductions, selection, a hashing generator."""
