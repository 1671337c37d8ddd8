"""Where jobs run: threads."""
