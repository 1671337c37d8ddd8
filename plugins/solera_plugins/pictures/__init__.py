"""Pictures of runs: curve, surface, Pareto front, table."""
