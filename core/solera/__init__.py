"""Solera: a workbench for weight space. The headless core; see ``solera.api`` for plugin authors."""
