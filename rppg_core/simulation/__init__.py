"""Simulated people, faces, traces and films whose vital signs are known."""
