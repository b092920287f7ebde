"""Pulse to vital signs, one vital per module."""
