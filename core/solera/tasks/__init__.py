"""A network to scores: data, metrics, standard errors."""
