"""Statistics of a model on data: Fisher information, Gram matrices, moments; streaming, resumable, kept as files."""
