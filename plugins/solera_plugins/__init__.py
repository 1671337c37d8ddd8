"""What Solera can do, contributed through the public door: one folder a plugin."""
