"""Accuracy and speed, measured. Each module prints a table, its targets beside the figures."""
