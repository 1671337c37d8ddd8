"""From weights to a torch module: architectures and flat parameter buffers."""
