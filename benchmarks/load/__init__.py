"""A day of mixed traffic, compressed into minutes. `python -m benchmarks.load`"""
