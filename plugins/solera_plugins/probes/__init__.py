"""Probes: sharpness, curvature, similarity and other measurements of models."""
