"""Regression tasks on tables and arrays from a file."""
