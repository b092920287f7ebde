"""Beam beside other open packages, on one clip. `python -m benchmarks.peers`"""
