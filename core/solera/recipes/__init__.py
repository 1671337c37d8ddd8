"""How new weights are made from checkpoints: a frozen, typed graph; pure data."""
