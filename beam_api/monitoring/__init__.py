"""Counters and logs: what the processes report about themselves."""
