"""How vital signs change: the course of rates over a trace, and long videos, window by window."""
