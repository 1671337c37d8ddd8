"""Plugins: manifests, discovery, states."""
