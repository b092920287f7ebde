"""Cost of the whole service, as `beam serve` runs it. `python -m benchmarks.service`"""
