"""One module a file format; none executes code from a file."""
