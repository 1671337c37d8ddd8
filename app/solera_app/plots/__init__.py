"""Widgets that take arrays and know no store."""
