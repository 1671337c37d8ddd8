"""Icons, tokens and examples, read by importlib.resources."""
