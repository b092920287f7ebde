"""`run_open_rppg.py CLIP MODEL`: one of the models that come with open-rppg."""

import sys

import rppg
from meter import cpu_s, report

clip, name = sys.argv[1:]
model = rppg.Model(name)
report(cpu_s(), lambda: float(model.process_video(clip)["hr"]))
