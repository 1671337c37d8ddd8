"""Tasks by functions that a project names."""
