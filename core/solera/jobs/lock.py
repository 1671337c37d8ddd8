"""The lock file that projects, runs and outputs use; it lives on the ground floor as :mod:`solera.locks`."""

from solera.locks import FileLock, Owner, holder

__all__ = ["FileLock", "Owner", "holder"]
