"""Zero-shot tasks on images and text embeddings from a file."""
