"""HTTP clients for the two APIs, used by the commands."""
