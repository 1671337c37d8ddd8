"""Handwritten digits seen upright, turned, inverted, mirrored and transposed: four experts of one base to merge."""
