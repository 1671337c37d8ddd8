"""Language-modelling tasks on text files."""
