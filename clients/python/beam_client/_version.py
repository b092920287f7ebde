"""The package's version, alone in a module so that a build reads it without importing the rest."""

__version__ = "0.1.0"
