"""Conformance suites and tiny models for plugin authors; may import every floor."""
