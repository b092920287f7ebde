"""The core as a library: what is imported when, what names it has, and a video measured in one line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rppg_core
from rppg_core.errors import InvalidVideo, NoFaceDetected
from tests import videos
from tests.thorough import rows

README = Path(__file__).parents[2] / "README.md"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_import_loads_no_other_library():
    loaded = run("import sys; before = set(sys.modules); import rppg_core; print(*(set(sys.modules) - before))")

    assert not {name.partition(".")[0] for name in loaded.split()} & {"numpy", "scipy", "cv2", "dlib", "av"}


def test_no_process_of_the_service_loads_the_costliest_part_of_scipy():
    loaded = run(
        "import sys, beam_api.web.app, beam_api.video_worker.worker; from rppg_core import *; print(*sys.modules)"
    ).split()

    assert "rppg_core.vital.beats" in loaded
    assert not {"scipy.signal", "scipy.stats"} & set(loaded)


def test_the_import_takes_a_small_part_of_what_its_names_take():
    code = "import time; start = time.process_time(); {}; print(time.process_time() - start)"
    bare, full = (float(run(code.format(imported))) for imported in ("import rppg_core", "from rppg_core import *"))

    assert bare < 0.2 * full


def test_every_public_name_is_there_and_listed():
    assert set(rppg_core.__all__) <= set(dir(rppg_core))
    assert all(getattr(rppg_core, name) is not None for name in rppg_core.__all__)
    assert len(set(rppg_core.__all__)) == len(rppg_core.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = rppg_core.no_such_name


FIRST = [
    "import rppg_core._measure",
    "import rppg_core.rolling",
    "import rppg_core.methods._pos, rppg_core.methods.gate",
    "from rppg_core.methods import chrom",
    "import rppg_core._measure_video",
    "from rppg_core import *",
    "import pkgutil, importlib, rppg_core; "
    "[importlib.import_module(m.name) for m in pkgutil.walk_packages(rppg_core.__path__, 'rppg_core.')]",
]


@pytest.mark.parametrize("first", rows(FIRST, [FIRST[0], FIRST[3], FIRST[-1]]))
def test_no_module_takes_the_name_of_a_function_whatever_is_imported_first(first):
    check = (
        f"{first}\nimport rppg_core, rppg_core.methods, types\nfrom rppg_core import measure, measure_video\n"
        "functions = [measure, measure_video, rppg_core.measure, rppg_core.advise, *rppg_core.METHODS.values()]\n"
        "functions += [getattr(rppg_core.methods, name) for name in rppg_core.METHODS]\n"
        "print(all(isinstance(function, types.FunctionType) for function in functions))"
    )

    assert run(check) == "True"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "face.mp4"
    path.write_bytes(videos.encoded())
    return path


def test_a_video_is_measured_in_one_line(video):
    vitals = rppg_core.measure_video(str(video))

    assert vitals.heart_rate_bpm == pytest.approx(videos.RATE_BPM, abs=2.0)
    assert vitals.withheld["hrv"] == "WINDOW_TOO_SHORT"


def test_the_example_of_the_readme_runs_as_printed(video):
    (code,) = re.findall(r"^```python\n(from rppg_core .*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)

    done = subprocess.run([sys.executable, "-c", code], cwd=video.parent, capture_output=True, text=True, check=True)

    assert float(done.stdout.split()[0]) == pytest.approx(videos.RATE_BPM, abs=2.0)


def test_the_beginning_of_a_video_is_measured_alone(video):
    reader = rppg_core.FaceReader()
    shares = []

    with video.open("rb") as file:
        trace = rppg_core.trace_of_video(file, reader, seconds=4.0, on_progress=shares.append)

    assert 3.9 <= trace.times_s[-1] - trace.times_s[0] <= 4.0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert rppg_core.measure_video(video, seconds=4.0, reader=reader).withheld["heart_rate"] == "WINDOW_TOO_SHORT"


def test_what_is_no_video_of_a_face_is_refused_with_its_reason(tmp_path):
    with pytest.raises(FileNotFoundError):
        rppg_core.measure_video(tmp_path / "nothing.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InvalidVideo, match="no MP4"):
        rppg_core.measure_video(text)
    wall = tmp_path / "wall.mp4"
    wall.write_bytes(videos.encode([np.full((240, 320, 3), (150, 120, 100), np.uint8)] * 60, np.arange(60) / 15))
    with pytest.raises(NoFaceDetected):
        rppg_core.measure_video(wall)
