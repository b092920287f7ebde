"""Traces in files: the same vitals to the digit, and strangers' files at a bounded cost."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from rppg_core import InvalidTraceFile, InvalidTraces, load_trace, measure, save_trace
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.traces import capture_times, simulate_trace
from rppg_core.trace.traces import Trace


def trace(seconds=30.0, *, exact=True):
    person = simulate_person(heart_rate_bpm=72.0, duration_s=seconds, rmssd_ms=30.0, lf_ms=15.0, seed=1)
    made = simulate_trace(person, capture_times(seconds, 30.0), seed=1, amplitude=0.01)
    if not exact:
        return made
    rounded = {name: getattr(made, name).astype(np.float32).astype(float) for name in ("colours", "pose")}
    return replace(made, **rounded, bits_a_pixel=1.25, several_faces=True)


def saved(what, **more):
    file = io.BytesIO()
    save_trace(file, what, **more)
    return file.getvalue()


def loaded(data):
    return load_trace(io.BytesIO(data))


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return file.getvalue()


def changed_header(**changes):
    contents = members(saved(trace(12.0)))
    contents["about.json"] = json.dumps(json.loads(contents["about.json"]) | changes).encode()
    return zipped(contents)


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("exact", [True, False])
def test_a_trace_is_the_same_to_the_last_bit_and_so_are_its_vitals(exact):
    before = trace(exact=exact)
    after = loaded(saved(before)).trace
    for name in ("times_s", "colours", "pose", "witness"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert (before.frame_size, before.bits_a_pixel, before.several_faces) == (
        after.frame_size,
        after.bits_a_pixel,
        after.several_faces,
    )
    first, second = asdict(measure(before)), asdict(measure(after))
    np.testing.assert_equal(first, second)
    assert first["heart_rate_bpm"] == pytest.approx(72, abs=2)


def test_missing_regions_and_a_trace_without_witnesses_are_kept():
    made = trace(12.0)
    made.colours[3:9, 0] = np.nan
    after = loaded(saved(replace(made, witness=None))).trace
    assert after.witness is None
    np.testing.assert_array_equal(made.colours, after.colours)


def test_the_file_says_what_made_it_and_is_the_same_each_time(tmp_path):
    path = tmp_path / "one.beam"
    save_trace(path, trace(12.0), about={"method": "fused", "vitals": {"heart_rate_bpm": 72.25}})
    about = load_trace(path).about
    assert about["vitals"] == {"heart_rate_bpm": 72.25}
    assert about["format_version"] == 1
    assert {"beam-rppg", "numpy", "av"} <= about["versions"].keys()
    assert path.read_bytes() == saved(trace(12.0), about={"method": "fused", "vitals": {"heart_rate_bpm": 72.25}})


def test_numpy_opens_it(tmp_path):
    save_trace(tmp_path / "one.beam", trace(12.0))
    with np.load(tmp_path / "one.beam") as arrays:
        np.testing.assert_array_equal(arrays["colours"], trace(12.0).colours)


def test_a_trace_that_packs_well_is_read_again():
    """It is stored as it is, since a file that unpacks to many times its size is refused."""
    flat = Trace(np.arange(3000) / 30, np.full((3000, 30, 3), 90.0), np.zeros((3000, 5)), (640, 480))
    np.testing.assert_array_equal(loaded(saved(flat)).trace.colours, flat.colours)


def test_what_can_t_be_read_again_is_not_saved():
    with pytest.raises(InvalidTraces, match="3600 s"):
        saved(Trace(np.array([0.0, 4000.0]), np.ones((2, 1, 3)), np.zeros((2, 5)), (64, 48)))
    with pytest.raises(InvalidTraces, match="at most"):
        saved(trace(12.0), about={"note": "x" * 70_000})
    with pytest.raises(ValueError, match="JSON"):
        saved(trace(12.0), about={"rate": float("nan")})


GOOD = members(saved(trace(12.0)))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "damaged"),
        (b"not a zip at all", "damaged"),
        (saved(trace(12.0))[:-100], "damaged"),
        (zipped({"a.txt": b"x"}), "members"),
        (zipped({**GOOD, "face.jpg": b"x"}), "members"),
        (zipped({name: data for name, data in GOOD.items() if name != "pose.npy"}), "damaged"),
        (zipped(GOOD, zipfile.ZIP_LZMA), "method"),
        (zipped(GOOD, zipfile.ZIP_BZIP2), "method"),
        (changed_header(format_version=2), "format 2; this version of Beam reads 1"),
        (changed_header(format_version=True), "format True"),
        (changed_header(frame_size=[640]), "frame_size"),
        (changed_header(frame_size=[640, 10**30]), "frame_size"),
        (changed_header(bits_a_pixel="1"), "bits_a_pixel"),
        (changed_header(bits_a_pixel=1e400), "bits_a_pixel"),
        (changed_header(several_faces=1), "several_faces"),
        (changed_header(about=[1]), "about"),
        (zipped({**GOOD, "about.json": b"[" * 50_000}, zipfile.ZIP_STORED), "nested|damaged"),
        (zipped({**GOOD, "about.json": b"[]"}), "no object"),
        (zipped({**GOOD, "about.json": b"\xff"}), "damaged"),
        (zipped({**GOOD, "about.json": b" " * 70_000}, zipfile.ZIP_STORED), "too long"),
        (zipped({**GOOD, "times_s.npy": npy(np.array([{}], object))}), "little-endian floats"),
        (zipped({**GOOD, "times_s.npy": npy(np.zeros(360))}), "increase"),
        (zipped({**GOOD, "times_s.npy": npy(np.arange(360) * 1000.0)}), "3600 s"),
        (zipped({**GOOD, "times_s.npy": npy(np.full(360, np.nan))}), "finite"),
        (zipped({**GOOD, "times_s.npy": npy(np.arange(359) / 30)}), "differ in length"),
        (zipped({**GOOD, "pose.npy": npy(np.full((360, 5), 1e30))}), "small"),
        (zipped({**GOOD, "colours.npy": npy(np.full((360, 3, 3), -1.0))}), "positive"),
        (zipped({**GOOD, "colours.npy": npy(np.full((360, 3, 3), np.inf))}), "positive"),
        (zipped({**GOOD, "colours.npy": npy(np.zeros((360, 0, 3)))}), "regions"),
        (zipped({**GOOD, "colours.npy": npy(np.zeros((360, 3), np.float32))}), "n_regions|n_frames"),
        (zipped({**GOOD, "colours.npy": npy(np.asfortranarray(np.zeros((360, 3, 3))))}), "C order"),
        (zipped({**GOOD, "colours.npy": GOOD["colours.npy"][:-8]}), "another number"),
        (zipped({**GOOD, "colours.npy": b"\x93NUMPY\x01\x00\xff\xff"}), "damaged"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused_with_its_reason(data, problem):
    with pytest.raises(InvalidTraceFile, match=problem):
        loaded(data)


def header_that_promises(shape):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        zipped({**GOOD, "colours.npy": npy(np.zeros((40_000, 30, 3)))}),  # 29 MB in 30 kB
        zipped({**GOOD, "colours.npy": header_that_promises((10**9, 30, 3))}),
        zipped({**GOOD, "times_s.npy": header_that_promises("(" + 5000 * "9" + ",)")}),
    ],
    ids=["bomb", "promise", "long number"],
)
def test_a_hostile_file_costs_no_more_than_its_size(data):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidTraceFile):
            loaded(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(data)


def test_any_damage_is_either_harmless_or_a_clear_error():
    data, rng = saved(trace(12.0)), random.Random(1)
    places = (
        [rng.randrange(len(data)) for _ in range(150)]
        + list(range(0, 200, 5))
        + list(range(len(data) - 300, len(data), 4))
    )
    for place in places:
        broken = bytearray(data)
        broken[place] ^= 1 << rng.randrange(8)
        try:
            loaded(bytes(broken))
        except InvalidTraceFile:
            continue
