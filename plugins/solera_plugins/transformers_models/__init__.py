"""Networks of the transformers library, built from a checkpoint's own config."""
