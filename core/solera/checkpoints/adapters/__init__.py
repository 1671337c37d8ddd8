"""Adapters of the PEFT library: small files that change a base, read as changes to its tensors."""
