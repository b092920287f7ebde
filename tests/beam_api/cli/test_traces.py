"""`--save-trace` and measuring what it saved: the same vitals to the digit, and no picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from beam_api.cli import main
from rppg_core import load_trace, save_trace
from tests import videos

if TYPE_CHECKING:
    from pathlib import Path


def beam(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="beam")


def data(*arguments: object) -> dict[str, Any]:
    result = beam("measure", *arguments, "--json", "--raw")
    assert result.exit_code == 0, result.output
    return {name: value for name, value in json.loads(result.stdout).items() if name != "timestamp"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "face.mp4"
    path.write_bytes(videos.encoded())
    return path


@pytest.mark.parametrize("options", [(), ("--method", "pos"), ("--seconds", "10"), ("--pace", "single")])
def test_a_saved_trace_gives_the_same_answer_to_the_digit(clip: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    saved = tmp_path / "x.beam"
    filmed = data(clip, *options, "--save-trace", saved)
    method = options if "--method" in options else ()
    assert data(saved, *method) == filmed
    assert load_trace(saved).about["vitals"]["heart_rate_bpm"] == pytest.approx(filmed["heart_rate"], abs=0.5)


def test_a_part_of_a_saved_trace_is_measured_if_it_is_wanted(clip: Path, tmp_path: Path) -> None:
    data(clip, "--save-trace", tmp_path / "x.beam")
    assert data(tmp_path / "x.beam", "--seconds", "10")["duration_ms"] == pytest.approx(10_000, abs=70)
    assert data(tmp_path / "x.beam")["duration_ms"] == pytest.approx(10_500, abs=110)


def test_the_file_holds_neither_a_picture_nor_a_name(clip: Path, tmp_path: Path) -> None:
    data(clip, "--save-trace", tmp_path / "x.beam")
    saved = (tmp_path / "x.beam").read_bytes()
    assert len(saved) < 500 * load_trace(tmp_path / "x.beam").trace.times_s.size
    assert b"face" not in saved.replace(b"several_faces", b"")
    assert str(clip).encode() not in saved


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("{clip}", "--save-trace", "{folder}/x.txt"), 2, "does not end in .beam"),
        (("{clip}", "--save-trace", "{folder}/no/x.beam"), 2, "can't be written"),
        (("{clip}", "{clip}", "--save-trace", "{folder}/x.beam"), 2, "name one SOURCE"),
        (("{folder}/broken.beam",), 1, "broken.beam can't be used: it is damaged, or no .beam file."),
        (("{folder}/broken.beam", "--url", "http://127.0.0.1:9", "--key", "k"), 1, "omit --url"),
    ],
)
def test_what_can_t_be_done_is_said_in_one_line(
    clip: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "broken.beam").write_bytes(b"PK\x03\x04 and no more")
    result = beam("measure", *(part.format(clip=clip, folder=tmp_path) for part in arguments))
    assert result.exit_code == code
    assert said in result.stderr


def test_compare_says_whether_another_version_finds_the_same(clip: Path, tmp_path: Path) -> None:
    saved = tmp_path / "x.beam"
    data(clip, "--save-trace", saved)
    same = beam("compare", saved)
    assert same.exit_code == 0, same.output
    assert "The same to the last digit." in same.stdout
    recording = load_trace(saved)
    vitals = {**recording.about["vitals"], "heart_rate_bpm": 61.5, "snr_db": "no number"}
    save_trace(saved, recording.trace, about={"vitals": vitals, "versions": [1]})
    [answer] = json.loads(beam("compare", saved, "--json").stdout)
    assert answer["differs"] == ["heart_rate_bpm", "snr_db"]
    assert answer["before"]["heart_rate_bpm"] == 61.5
    other = beam("compare", saved, saved)
    assert other.exit_code == 1
    assert "changed" in other.stdout


def test_compare_goes_on_after_a_file_it_cannot_read(clip: Path, tmp_path: Path) -> None:
    data(clip, "--save-trace", tmp_path / "x.beam")
    (tmp_path / "broken.beam").write_bytes(b"no trace")
    result = beam("compare", tmp_path / "broken.beam", tmp_path / "x.beam")
    assert result.exit_code == 1
    assert "broken.beam can't be used" in result.stderr
    assert "The same to the last digit." in result.stdout
