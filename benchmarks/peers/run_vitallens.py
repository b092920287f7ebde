"""`run_vitallens.py CLIP METHOD`: one of the methods that vitallens runs without its service."""

import sys

from meter import cpu_s, report
from vitallens import VitalLens

clip, method = sys.argv[1:]
lens = VitalLens(method=method, export_to_json=False)


def run() -> float | None:
    """The heart rate, or None where the method gives none."""
    found = lens(clip)[0]["vitals"].get("heart_rate")
    return None if found is None else float(found["value"])


report(cpu_s(), run)
