"""Library, inspector, jobs, runs, log."""
