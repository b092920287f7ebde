"""Redis: every key, script and lifetime. Nothing else in the project sends a Redis command."""
