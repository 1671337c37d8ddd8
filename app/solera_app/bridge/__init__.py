"""Events of the core, drained into Qt by one timer."""
