"""Classification tasks on arrays from a file."""
