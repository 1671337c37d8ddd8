"""Symmetries of networks: which units may change places or scale, and the places at which two networks fit best."""
