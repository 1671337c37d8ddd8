"""Merging methods: plain functions from tensors to a tensor, and what they declare."""
