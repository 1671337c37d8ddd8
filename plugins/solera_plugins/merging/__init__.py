"""Merging methods: weighted average, task arithmetic, TIES, SLERP."""
