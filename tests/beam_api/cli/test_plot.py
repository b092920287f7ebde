"""`beam measure --plot`: the picture shows what was measured, and says in words when there is nothing to show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import httpx
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from beam_api.cli import main
from beam_api.cli.plot import _draw, save_plot, spectrum, why_no_wave
from beam_api.web.schemas.measure import complete_data
from beam_client import Beam
from rppg_core import measure
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.physiology import simulate_person
from rppg_core.simulation.scenes import Scene
from rppg_core.simulation.traces import capture_times, simulate_trace

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask


def measured(seconds: float = 30.0, fps: float = 30.0, *, alive: bool = True) -> dict[str, Any]:
    """The data of a simulated trace at 72 bpm, or of one with noise alone; slow ones have uneven frames."""
    person = simulate_person(heart_rate_bpm=72.0, duration_s=seconds, rmssd_ms=30.0, lf_ms=15.0, seed=1)
    times = capture_times(seconds, fps)
    if fps < 8:
        slots = np.arange(int(seconds * fps))
        times = (slots + np.random.default_rng(1).uniform(0.05, 0.95, len(slots))) / fps
    trace = simulate_trace(person if alive else None, times, seed=1, amplitude=0.01)
    return complete_data(measure(trace), trace)


def words_of(data: dict[str, Any]) -> str:
    """Every word in a picture outside its axes' ticks and legends."""
    figure = _draw(data)
    texts = [figure.get_suptitle(), figure.get_supxlabel(), *(t.get_text() for a in figure.axes for t in a.texts)]
    return "\n".join(texts)


def lines_of(data: dict[str, Any]) -> int:
    return sum(len(axes.lines) for axes in _draw(data).axes)


def colours_of(file: Path) -> tuple[tuple[int, int], int]:
    with Image.open(file) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    return pixels.shape[:2], len(np.unique(pixels.reshape(-1, 3), axis=0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """11 s at 80 bpm."""
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    scene = Scene(heart_rate_bpm=80, duration_s=11.0, fps=15.0, seed=3, frame_size=(240, 220), eyes_px=40.0)
    film(simulate_face(scene), path, crf=18)
    return path


def beam(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["measure", *map(str, arguments)])


def test_the_picture_of_a_pulse_has_its_wave_beats_rate_and_the_notice(tmp_path: Path) -> None:
    data = measured()
    save_plot(data, tmp_path / "pulse.png")
    (height, width), colours = colours_of(tmp_path / "pulse.png")
    assert 400 < height < 1200
    assert 800 < width < 2000
    assert colours > 20
    said = words_of(data)
    assert f"Heart rate {data['heart_rate']} bpm, confidence {data['confidence']:.2f}" in said
    assert "Not a medical device" in said
    wave, breath, below = _draw(data).axes
    raw, smooth, beats = wave.lines
    np.testing.assert_allclose(np.asarray(raw.get_ydata()), data["raw"]["ppg"])
    assert (raw.get_color(), smooth.get_color()) == ("#b5b5b5", "#1f5fa8")
    assert len(np.asarray(beats.get_xdata())) == len(data["raw"]["beats_ms"])
    np.testing.assert_allclose(np.asarray(breath.lines[0].get_ydata()), data["raw"]["respiration"])
    assert breath.lines[0].get_label() == f"breathing, {data['respiration_rate']} a minute"
    assert np.asarray(below.lines[1].get_xdata()).tolist() == [data["heart_rate"]] * 2


def test_beats_are_on_the_peaks_of_the_smoothed_pulse() -> None:
    data = measured()
    wave = _draw(data).axes[0]
    _, smooth, beats = (np.asarray(line.get_xydata()) for line in wave.lines)
    between = (smooth[1:-1, 1] > smooth[:-2, 1]) & (smooth[1:-1, 1] >= smooth[2:, 1])
    peaks = smooth[1:-1][between]
    distance_s = np.abs(beats[:, :1] - peaks[:, 0]).min(axis=1)
    assert np.mean(distance_s < 1e-9) >= 0.95
    assert np.abs(beats[:, 0] - np.array(data["raw"]["beats_ms"]) / 1000).max() < 0.1
    # It is smoother than what was measured, and no later.
    raw = np.array(data["raw"]["ppg"])
    assert np.abs(np.diff(smooth[:, 1], 2)).sum() < 0.7 * np.abs(np.diff(raw, 2)).sum()
    delays = range(-5, 6)
    assert max(delays, key=lambda d: np.dot(np.roll(raw, d)[10:-10], smooth[10:-10, 1])) == 0


def test_a_rate_of_breathing_that_is_withheld_has_no_curve() -> None:
    data = measured(12.0)
    assert data["respiration_rate"] is None
    assert len(_draw(data).axes) == 2


def test_the_spectrum_peaks_at_the_rate() -> None:
    data = measured()
    rates_bpm, power = spectrum(np.array(data["raw"]["ppg"]), data["raw"]["sampling_rate"])
    assert power.max() == 1
    assert rates_bpm[np.argmax(power)] == pytest.approx(data["heart_rate"], abs=3)
    rates_bpm, power = spectrum(np.sin(2 * np.pi * 1.5 * np.arange(300) / 30), 30.0)
    assert rates_bpm[np.argmax(power)] == pytest.approx(90, abs=0.5)


def test_a_long_wave_goes_on_in_further_rows() -> None:
    data = measured(90.0)
    *rows, _breath, _spectrum = _draw(data).axes
    assert [round(edge) for axes in rows for edge in axes.get_xlim()] == [0, 30, 30, 60, 60, 90]


def test_frames_too_far_apart_give_words_and_no_curve(tmp_path: Path) -> None:
    data = measured(60.0, 1.6)
    assert data["heart_rate"] is not None
    assert data["raw"]["ppg"] == ()
    assert "too far apart" in words_of(data)
    assert f"Heart rate {data['heart_rate']} bpm" in words_of(data)
    assert lines_of(data) == 0
    save_plot(data, tmp_path / "sparse.png")
    assert colours_of(tmp_path / "sparse.png")[1] > 1


def test_no_pulse_gives_words_and_no_curve_though_the_filters_left_a_wave() -> None:
    data = measured(alive=False)
    assert data["heart_rate"] is None
    assert len(data["raw"]["ppg"]) > 0
    said = words_of(data)
    assert f"No pulse was found ({data['withheld']['heart_rate']})" in said
    assert "NO_PULSE" in said
    assert "Not a medical device" in said
    assert lines_of(data) == 0


def test_an_answer_without_raw_is_reported_in_words() -> None:
    data = {name: value for name, value in measured().items() if name != "raw"}
    assert "no waveform" in str(why_no_wave(data))


def test_a_file_that_can_no_longer_be_written_is_one_line(tmp_path: Path) -> None:
    result = measured(12.0)
    with pytest.raises(click.ClickException, match="can't be written"):
        save_plot(result, tmp_path / "gone" / "pulse.png")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("pulse.jpg", "does not end in .png"),
        ("pulse", "does not end in .png"),
        ("nowhere/pulse.png", "can't be written to: No such file or directory"),
        ("folder.png", "is a directory"),
    ],
)
def test_a_picture_that_could_not_be_made_is_a_usage_error_before_anything_is_measured(
    tmp_path: Path, path: str, said: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    result = beam(tmp_path / "no-such-video.mp4", "--plot", tmp_path / path)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert "no-such-video" not in result.stderr.replace("Usage", "")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.png"]


def test_a_folder_that_refuses_files_is_a_usage_error() -> None:
    result = beam("no-such-video.mp4", "--plot", "/proc/pulse.png")
    assert result.exit_code == 2
    assert "/proc can't be written to" in result.stderr


def test_without_matplotlib_the_option_says_how_to_get_it_and_the_rest_works(tmp_path: Path, clip: Path) -> None:
    """A process in which importing matplotlib fails as it does where the package is absent."""
    script = "import sys; sys.modules['matplotlib'] = None; from beam_api.cli import main; main()"

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, "measure", str(clip), *options]
        return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=120, check=False)

    done = run("--plot", str(tmp_path / "pulse.png"))
    assert done.returncode == 1
    assert done.stderr == "Error: --plot needs the extra: pip install 'beam-rppg[plot]'.\n"
    assert list(tmp_path.iterdir()) == []
    assert json.loads(run("--json").stdout)["status"] == "complete"


def test_a_video_is_drawn_in_process(tmp_path: Path, clip: Path) -> None:
    file = tmp_path / "pulse.PNG"
    file.write_bytes(b"an older one")
    result = beam(clip, "--plot", file)
    assert result.exit_code == 0, result.output
    assert "Heart rate" in result.stdout
    assert colours_of(file)[1] > 20


def test_a_video_is_drawn_through_a_service(
    tmp_path: Path, clip: Path, app: Flask, api_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real app, reached without a network; without --plot it is not asked for the waveform."""
    monkeypatch.setattr(Beam, "_opened", lambda _self: httpx.Client(transport=httpx.WSGITransport(app)))
    through = ("--url", "http://beam", "--key", api_key, "--json")
    result = beam(clip, *through, "--raw", "--plot", tmp_path / "pulse.png")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert why_no_wave(data) is None
    assert colours_of(tmp_path / "pulse.png")[1] > 20
    assert "raw" not in json.loads(beam(clip, *through).stdout)
