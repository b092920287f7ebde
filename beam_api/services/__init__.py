"""The use cases, in plain Python: they know the store and the science, not HTTP."""
