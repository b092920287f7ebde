"""References over time: rates and beats, files of four formats, and the layouts of data sets.

WFDB is read by the extra `wfdb`, which is large: its test is skipped without it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from beam_api.cli import main
from beam_api.cli.validation.known import recordings_of, references_of
from beam_api.cli.validation.results import read_rows
from beam_api.cli.validation.series import ECG, PPG, Series, UnusableSeries, kind_of, read_series, values_of
from tests import videos

FACE_1 = Path(__file__).parents[4] / "shared" / "data" / "face-1"


def beats(rate_bpm: float, seconds: float, rmssd_ms: float = 0.0) -> np.ndarray:
    """Times of beats whose intervals alternate, so that RMSSD is exact."""
    count = int(seconds * rate_bpm / 60) + 2
    intervals = 60 / rate_bpm + np.where(np.arange(count) % 2, 0.5, -0.5) * rmssd_ms / 1000
    return 0.4 + np.cumsum(intervals)


def wave(kind: str, at_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Gaussian beats: narrow ones as R peaks, broad ones as a pulse."""
    width_s = 0.012 if kind == ECG else 0.1
    return sum(np.exp(-0.5 * ((times_s - at) / width_s) ** 2) for at in at_s) + 0.001 * np.sin(times_s)


def times(fs: float, seconds: float) -> np.ndarray:
    return np.arange(int(fs * seconds)) / fs


def beam(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="beam")


def test_a_rate_is_the_mean_of_what_the_device_knew_while_it_was_measured():
    rate = Series.of("heart_rate_bpm", [0, 1, 2, 3, 40], [70, 0, 74, -1, 200])
    breath = Series.of("respiration_rate_bpm", [0, 10], [14, 16])
    assert values_of([rate, breath], 30) == {"heart_rate_bpm": 72.0, "respiration_rate_bpm": 15.0}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ECG", ECG), ("ecg_1", ECG), ("Pleth", PPG), ("finger_ppg", PPG), ("Heart_Rate", "heart_rate_bpm"),
     ("HR", "heart_rate_bpm"), ("hr_ppg", None), ("hrv_sdnn_ecg", None), ("resp", None), ("rr", None), ("spo2", None)],
)  # fmt: skip
def test_columns_are_known_by_their_names(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize(("kind", "fs"), [(ECG, 250.0), (PPG, 250.0), (PPG, 60.0), (PPG, 30.0)])
@pytest.mark.parametrize("rate_bpm", [55.0, 75.0, 120.0])
def test_rate_and_variability_are_those_of_the_beats(kind, fs, rate_bpm):
    at_s, times_s = beats(rate_bpm, 30, rmssd_ms=40.0), times(fs, 30)
    values = values_of([Series.of(kind, times_s, wave(kind, at_s, times_s))], 30)
    assert values["heart_rate_bpm"] == pytest.approx(rate_bpm, abs=0.5)
    if fs < 200:  # its grid would make up variability
        assert set(values) == {"heart_rate_bpm"}
    else:
        assert values["rmssd_ms"] == pytest.approx(40, abs=5)


def test_a_wave_counts_before_what_a_device_shows_and_only_while_it_is_measured():
    times_s = times(100.0, 60)
    at_s = np.concatenate([beats(60.0, 29), 30 + beats(120.0, 30)])
    series = [Series.of(PPG, times_s, wave(PPG, at_s, times_s)), Series.of("heart_rate_bpm", [0.0, 5.0], [90, 90])]
    assert values_of(series, 28)["heart_rate_bpm"] == pytest.approx(60, abs=0.5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros(3000), "constant"),
        (np.random.default_rng(1).normal(size=3000), "beats"),
        (np.ones(300) * np.arange(300), "lasts 3.0 s of 30.0 s"),
    ],
)
def test_a_wave_without_clear_beats_is_no_reference(values, said):
    with pytest.raises(UnusableSeries, match=said):
        values_of([Series.of(PPG, np.arange(len(values)) / 100, values)], 30)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of wfdb about pandas
@pytest.mark.parametrize("suffix", ["csv", "edf", "bdf", "hea"])
def test_every_format_gives_the_same_beats(tmp_path, suffix):
    at_s, times_s = beats(72.0, 30), times(250.0, 30)
    signal = wave(ECG, at_s, times_s)
    path = tmp_path / f"ann.{suffix}"
    if suffix == "csv":
        path.write_text(
            "timestamp_ms,ecg,hr_ecg\n"
            + "".join(f"{1e6 + 1000 * t},{v:.6f},1\n" for t, v in zip(times_s, signal, strict=True))
        )
    elif suffix == "hea":
        wfdb = pytest.importorskip("wfdb", reason="needs the extra `wfdb`")
        wfdb.wrsamp("ann", 250, ["mV"], ["MLII"], signal[:, None], fmt=["16"], write_dir=str(tmp_path))
    else:
        edfio = pytest.importorskip("edfio", reason="needs the extra `edf`")
        whole, channel = (edfio.Edf, edfio.EdfSignal) if suffix == "edf" else (edfio.Bdf, edfio.BdfSignal)
        whole([channel(signal, 250, label="ECG", physical_range=(-2, 2))]).write(path)
    assert values_of(read_series(path), 30)["heart_rate_bpm"] == pytest.approx(72, abs=0.5)
    found = references_of(tmp_path, ["clips/ann.mp4", "clips/bob.mp4"], 30)
    assert set(found.by_file) == {"clips/ann.mp4"}
    assert found.by_file["clips/ann.mp4"].values["heart_rate_bpm"] == pytest.approx(72, abs=0.5)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "time_s,ppg\n1,x\n", "time_s,ppg\n1\n"])
def test_a_series_that_cannot_be_read_is_named_and_the_others_are_used(tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    (tmp_path / "good.csv").write_text("time_s,heart_rate\n0,70\n1,72\n")
    reference = tmp_path / "ref.csv"
    reference.write_text("file,series,rmssd\na.mp4,bad.csv,30\nb.mp4,good.csv,31\n")
    found = references_of(reference, ["a.mp4", "b.mp4"], 30)
    assert found.by_file["b.mp4"].values == {"heart_rate_bpm": 71.0, "rmssd_ms": 31.0}
    assert found.by_file["a.mp4"].values == {"rmssd_ms": 30.0}
    assert list(found.unusable) == ["bad.csv"]


def lay_out(layout: str, root: Path) -> None:
    """One recording at 80 bpm as a data set has it, whose reference wave beats 80 times a minute."""
    times_s = times(60.0, 11)
    ppg = wave(PPG, beats(videos.RATE_BPM, 11), times_s)
    frames = videos.pictures()
    if layout == "ubfc-rppg":
        (root / "subject1").mkdir()
        (root / "subject1" / "vid.avi").write_bytes(videos.encoded("avi", "mjpeg"))
        lines = [ppg, np.full_like(ppg, 60.0), times_s + 3]
        (root / "subject1" / "ground_truth.txt").write_text(
            "\n".join(" ".join(f"{v:.7e}" for v in row) for row in lines)
        )
    elif layout == "pure":
        (root / "01-02" / "01-02").mkdir(parents=True)
        start_ns = 1_392_643_993_642_815_000
        for image, at_s in zip(frames, videos.face().times_s, strict=True):
            name = f"Image{start_ns + round(1e9 * (at_s - videos.face().times_s[0]))}.png"
            Image.fromarray(image).save(root / "01-02" / "01-02" / name, compress_level=1)
        package = [
            {
                "Timestamp": start_ns + round(1e9 * t),
                "Value": {"waveform": 100 * v, "pulseRate": 60, "o2saturation": 98},
            }
            for t, v in zip(times_s.tolist(), ppg.tolist(), strict=True)
        ]
        (root / "01-02" / "01-02.json").write_text(json.dumps({"/FullPackage": package, "/Image": []}))
    elif layout == "mmpd":
        from scipy.io import savemat

        (root / "subject3").mkdir()
        video = np.repeat(np.stack(frames), 2, axis=0)[:315].astype(np.float32) / 255
        about = {"light": "LED-low", "motion": "Stationary", "exercise": "False", "skin_color": 5, "makeup": "False"}
        savemat(root / "subject3" / "p3_0.mat", {"video": video, "GT_ppg": ppg[None, :630], **about})
    else:
        (root / "1.mp4").write_bytes(videos.encoded())
        keep = np.linspace(0, 10.5 * 60, 158).astype(int)
        (root / "1.csv").write_text("ppg,ecg,hr_ppg\n" + "".join(f"{v:.6f},0,60\n" for v in ppg[keep]))


@pytest.mark.parametrize(
    ("layout", "person", "groups"),
    [
        ("ubfc-rppg", "subject1", {}),
        ("pure", "01", {"motion": "talking"}),
        (
            "mmpd",
            "p3",
            {"light": "LED-low", "motion": "Stationary", "exercise": "False", "skin": "5", "makeup": "False"},
        ),
        ("vitallens", "1", {}),
    ],
)
def test_the_layout_of_a_data_set_is_known(tmp_path, layout, person, groups):
    root = tmp_path / "data"
    root.mkdir()
    lay_out(layout, root)
    files, found = recordings_of(layout, [str(root)], 10.0)
    [(file, reference)] = found.by_file.items()
    assert [str(one) for one in files] == [file]
    assert (reference.person, reference.groups, found.unusable) == (person, groups, {})
    assert reference.values["heart_rate_bpm"] == pytest.approx(videos.RATE_BPM, abs=1.5)

    done = beam(
        "batch",
        root,
        "--layout",
        layout,
        "--out",
        tmp_path / "r.csv",
        "--report",
        tmp_path / "r.html",
        "--seconds",
        10,
        "--jobs",
        1,
    )
    assert done.exit_code == 0, done.output
    [row] = read_rows(tmp_path / "r.csv").values()
    assert row["status"] == "measured", row
    if layout != "mmpd":  # there each frame is shown twice
        assert row["heart_rate_bpm"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert "1 (1 person)" in (tmp_path / "r.html").read_text()


def test_a_folder_without_the_layout_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    for arguments in ((tmp_path, "--layout", "pure"), (tmp_path / "clip.mp4", "--layout", "pure")):
        result = beam("batch", *arguments, "--out", tmp_path / "r.csv")
        assert result.exit_code == 2
        assert "layout pure" in " ".join(result.stderr.split())


@pytest.mark.skipif(not FACE_1.is_dir(), reason="needs the real clip")
def test_the_contact_wave_of_the_real_clip_has_its_rate():
    _, found = recordings_of("vitallens", [str(FACE_1)], 11.8)
    [reference] = found.by_file.values()
    assert reference.values["heart_rate_bpm"] == pytest.approx(videos.FACE_1_BPM, abs=0.5)
