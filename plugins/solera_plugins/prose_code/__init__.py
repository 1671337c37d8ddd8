"""A small Llama on CPython's own texts: documentation prose against library code, two experts of one base to merge."""
