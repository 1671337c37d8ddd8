"""Pictures of a run in the central area."""
