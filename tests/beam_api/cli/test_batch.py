"""`beam batch`: every file is a row, nothing ends the run, and what was done is never done again."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from beam_api.cli import main
from beam_api.cli.validation.pool import Stop, run_each
from beam_api.cli.validation.table import COLUMNS, pack_pulse, unpack_pulse
from tests import videos
from tests.processes import running as alive
from tests.processes import wait_until

ROOT = Path(__file__).parents[3]


def beam(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="beam")


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {Path(row["file"]).name: row for row in csv.DictReader(file)}


def alive_in_group(group: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(path.name)) == group and alive(int(path.name)):
                found.append(int(path.name))
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "face.mp4"
    path.write_bytes(videos.encoded())
    return path


@pytest.fixture
def clips(clip: Path, tmp_path: Path) -> Path:
    """A face, a file that is no video, a room without a face, and a face in a folder of its own."""
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    (folder / "a.mp4").write_bytes(clip.read_bytes())
    (folder / "broken.mp4").write_text("no video")
    (folder / "empty, room.mp4").write_bytes(videos.blank(11))
    (folder / "more" / "b.mp4").write_bytes(clip.read_bytes())
    (folder / "notes.txt").write_text("no recording")
    return folder


def test_every_file_is_a_row_with_its_numbers_or_its_reason(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    result = beam("batch", clips, "--out", out, "--jobs", 2, "--save-traces", tmp_path / "traces")
    assert result.exit_code == 0, result.output
    assert "4 of 4 files, 2 with a heart rate, 2 not measured" in result.stdout
    rows = table(out)
    assert set(rows) == {"a.mp4", "b.mp4", "broken.mp4", "empty, room.mp4"}
    assert (rows["broken.mp4"]["status"], rows["broken.mp4"]["reason"]) == ("failed", "INVALID_VIDEO")
    assert rows["empty, room.mp4"]["reason"] == "NO_FACE_DETECTED"
    assert float(rows["a.mp4"]["heart_rate_bpm"]) == pytest.approx(videos.RATE_BPM, abs=2)
    assert rows["a.mp4"]["withheld_hrv"] == "WINDOW_TOO_SHORT"
    assert len(list((tmp_path / "traces").glob("*.beam"))) == 2

    single = json.loads(beam("measure", clips / "a.mp4", "--json").stdout)
    assert round(float(rows["a.mp4"]["heart_rate_bpm"])) == single["heart_rate"]
    assert round(float(rows["a.mp4"]["confidence"]), 3) == pytest.approx(single["confidence"], abs=0.001)
    again = beam("batch", tmp_path / "traces", "--out", tmp_path / "again.csv", "--jobs", 1)
    assert again.exit_code == 0, again.output
    same = [name for name in COLUMNS if name not in ("file", "elapsed_s", "trace")]
    traced = next(iter(table(tmp_path / "again.csv").values()))
    assert {name: traced[name] for name in same} == {name: rows["a.mp4"][name] for name in same}


def test_resuming_measures_only_what_is_missing(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    assert beam("batch", clips / "*.mp4", "--out", out, "--jobs", 1).exit_code == 0
    before = out.read_text().splitlines()
    out.write_text("\n".join(before[:-1]) + "\n" + before[-1][:20])  # the last line was cut off
    result = beam("batch", clips, "--out", out, "--jobs", 1, "--resume")
    assert result.exit_code == 0, result.output
    after = out.read_text().splitlines()
    assert after[: len(before) - 1] == before[:-1]
    assert len(after) == 5


def test_results_of_other_settings_are_neither_mixed_nor_written_over(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    broken = clips / "broken.mp4"
    assert beam("batch", broken, "--out", out, "--jobs", 1).exit_code == 0
    kept = out.read_bytes()
    for options, said in (
        ((), "--resume measures what it lacks"),
        (("--resume", "--seconds", "20"), "fused-5-30s"),
        (("--resume", "--method", "pos"), "name another --out"),
    ):
        result = beam("batch", broken, "--out", out, *options)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
        assert out.read_bytes() == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{folder}/none.mp4",), "There is no file or folder"),
        (("{folder}/*.mov",), "No video matches"),
        (("{folder}/nothing",), "holds no video"),
        (("{folder}/broken.mp4", "--out", "{folder}/r.xlsx"), "neither .csv nor .parquet"),
        (("{folder}/broken.mp4", "--url", "http://127.0.0.1:9"), "--url needs --key"),
    ],
)
def test_what_can_t_begin_is_said_before_anything_is_measured(
    clips: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEAM_API_KEY", raising=False)
    (clips / "nothing").mkdir()
    result = beam("batch", *(part.format(folder=clips) for part in arguments))
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_table_that_is_none_is_refused(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    result = beam("batch", clips / "broken.mp4", "--out", tmp_path / "r.csv", "--resume")
    assert result.exit_code == 1
    assert "no table of results" in result.stderr


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs the extra `parquet`")
def test_a_parquet_file_holds_the_same_and_is_continued(clips: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    out = tmp_path / "r.parquet"
    assert beam("batch", clips / "broken.mp4", "--out", out, "--jobs", 1).exit_code == 0
    assert beam("batch", clips / "broken.mp4", clips / "a.mp4", "--out", out, "--jobs", 1, "--resume").exit_code == 0
    measured, broken = parquet.read_table(out).to_pylist()
    assert broken["reason"] == "INVALID_VIDEO"
    assert broken["heart_rate_bpm"] is None
    assert measured["heart_rate_bpm"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert [path.name for path in tmp_path.glob("*r.*")] == ["r.parquet"]


def test_a_service_that_is_down_is_the_reason_of_each_row(clips: Path, tmp_path: Path) -> None:
    service = ("--url", "http://127.0.0.1:9", "--key", "k")
    out = tmp_path / "r.csv"
    assert beam("batch", clips / "a.mp4", clips / "broken.mp4", "--out", out, "--jobs", 1, *service).exit_code == 0
    rows = table(out)
    assert {row["status"] for row in rows.values()} == {"failed"}
    assert "can't be reached" in rows["a.mp4"]["message"]


@pytest.mark.integration
def test_ctrl_c_leaves_a_usable_table_and_no_process(clip: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "clips", tmp_path / "r.csv"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:02}.mp4").write_bytes(clip.read_bytes())
    command = [sys.executable, "-m", "beam_api.cli", "batch", str(folder), "--out", str(out), "--jobs", "2"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and (not out.exists() or len(out.read_text().splitlines()) < 3):
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        _, said = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert wait_until(lambda: not alive_in_group(running.pid))
    rows = table(out)
    assert 2 <= len(rows) < 30
    assert {row["status"] for row in rows.values()} == {"measured"}


def _double_or_die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def _nothing(*_settings: Any) -> None:
    pass


def test_a_process_that_dies_takes_one_file_with_it() -> None:
    found = run_each(
        _double_or_die, range(8), jobs=2, prepare=_nothing, prepared_with=(), crashed=lambda n: -n, stop=Stop()
    )
    assert sorted(found) == [-3, 0, 2, 4, 8, 10, 12, 14]


def test_a_pulse_is_kept_small_and_in_shape() -> None:
    import numpy as np

    times_s = np.arange(1200) / 30
    wave = np.sin(2 * np.pi * 1.2 * times_s)
    packed = pack_pulse(wave, 30.0)
    shown = unpack_pulse(packed)
    assert len(packed) == 600
    assert len(shown) == 450  # the newest 30 s
    assert shown[-1] == pytest.approx(wave[-1], abs=0.05)
    spectrum = np.abs(np.fft.rfft(shown))
    assert np.fft.rfftfreq(len(shown), 1 / 15)[spectrum.argmax()] == pytest.approx(1.2)
    assert pack_pulse(np.zeros(100), 30.0) == ""
    assert unpack_pulse("no base64!").size == unpack_pulse("").size == 0
