"""A project: a folder with its library of checkpoints, recipes, tasks, runs and outputs."""
