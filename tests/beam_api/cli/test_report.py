"""The report: its figures are those of rppg_core.validation, by group too, and it needs no other file."""

from __future__ import annotations

import html.parser
import re
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from beam_api.cli import main
from beam_api.cli.validation.charts import ticks
from beam_api.cli.validation.references import Reference, References, match, read_references
from beam_api.cli.validation.report import HEADS, render_report
from beam_api.cli.validation.results import read_rows
from beam_api.cli.validation.study import study
from beam_api.cli.validation.table import COLUMNS, pack_pulse
from rppg_core.validation import agreement
from tests import videos

if TYPE_CHECKING:
    from pathlib import Path


def result_of(file: str, rate_bpm: float | None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    quality = 0.99 if rate_bpm else 0.1
    row |= {"file": file, "status": "measured", "heart_rate_bpm": rate_bpm, "confidence": quality}
    row |= {"quality_heart_rate": quality, "quality_hrv": 0.0, "withheld_hrv": "WINDOW_TOO_SHORT"}
    if rate_bpm is None:
        row["withheld_heart_rate"] = "LOW_SIGNAL"
    else:
        row |= {"heart_rate_bpm_low": rate_bpm - 1, "heart_rate_bpm_high": rate_bpm + 1}
        row["pulse"] = pack_pulse(np.sin(np.arange(300.0)), 15.0)
    return row | more


def failed(file: str, reason: str) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS) | {"file": file, "status": "failed", "reason": reason, "message": "…"}


ROWS = [
    result_of("a.mp4", 71.0),
    result_of("b.mp4", 59.0),
    result_of("c.mp4", 83.0),
    result_of("d.mp4", None),
    result_of("e<i>.mp4", 97.0),
    failed("f.mp4", "INVALID_VIDEO"),
    failed("g.mp4", "NO_FACE_DETECTED"),
    result_of("h.mp4", 50.0),  # without a reference
]
TRUTH = {"a.mp4": 70, "b.mp4": 60, "c.mp4": 80, "d.mp4": 90, "e<i>.mp4": 100, "f.mp4": 66, "g.mp4": 77}
REFERENCES = References(
    {
        file: Reference(file, {"heart_rate_bpm": float(rate)}, f"p{n // 2}", {"skin": "dark" if n < 3 else "<b>light"})
        for n, (file, rate) in enumerate(TRUTH.items())
    },
    ("lost.mp4",),
)


class Page(html.parser.HTMLParser):
    """The cells of each table under its caption, the tags, and every address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += " ".join(data.split()) + " "


def page() -> tuple[str, Page]:
    text = render_report(ROWS, REFERENCES, {"settings": "fused-5-30s"}, resamples=200)
    return text, Page(text)


def test_the_figures_are_those_of_the_module() -> None:
    found = study(ROWS, REFERENCES)
    [rate] = found.vitals
    by_hand = agreement(
        [71, 59, 83, np.nan, 97, np.nan],
        [70, 60, 80, 90, 100, 77],
        low=[70, 58, 82, np.nan, 96, np.nan],
        high=[72, 60, 84, np.nan, 98, np.nan],
        people=["p0", "p0", "p1", "p1", "p2", "p3"],
    )
    assert repr(rate.agreement) == repr(by_hand)
    assert (found.recordings, found.readable, found.without_reference, found.people) == (8, 7, 1, 4)
    assert rate.agreement.figures["return_rate"].value == pytest.approx(4 / 6)
    assert rate.agreement.figures["mean_absolute_error"].value == 2.0
    assert rate.agreement.figures["interval_coverage"].value == 0.5
    dark, light = {group.value: group.agreement for group in rate.groups}["dark"], rate.groups[0].agreement
    assert dark.figures["mean_absolute_error"].value == pytest.approx(5 / 3)
    assert (light.recordings, light.returned) == (3, 1)
    assert (rate.right_of_all, rate.right_of_returned) == (4 / 6, 0.5)
    assert found.withheld["heart_rate_bpm"] == {"LOW_SIGNAL": 1, "NO_FACE_DETECTED": 1}
    assert [row["file"] for row, _ in found.worst[:2]] == ["c.mp4", "e<i>.mp4"]


def test_the_page_shows_them_and_every_group() -> None:
    _, shown = page()
    rows = {row[0].strip(): row for row in shown.rows if len(row) == len(HEADS) + 1}
    assert rows["Heart rate, bpm"][3].startswith("2.00")
    assert rows["dark"][3].startswith("1.67")
    assert rows["<b>light"][1].startswith("3 (3 people)")
    bands = {row[0].strip(): row[1:] for row in shown.rows if len(row) == 6}
    assert bands["confidence"][-1].strip() == "0.9 to 1"
    assert bands["all"][-1].strip() == "2.00 50.0 % within, n = 4"
    assert bands["skin: dark"][-1].startswith("1.67 66.7 % within, n = 3 ")
    assert bands["skin: dark"][0].strip() == "–"


def test_it_is_one_file_without_scripts_and_names_are_text() -> None:
    text, shown = page()
    assert shown.addresses == []
    assert not {"script", "link", "img", "iframe", "i", "b"} & set(shown.tags)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert shown.tags.count("svg") == 4 + 5  # four charts of the heart rate, and the pulses of those that have one
    assert "lost.mp4" in text


def test_a_table_without_references_has_a_report_too() -> None:
    text = render_report(ROWS, References({}), {})
    assert "There is no reference" in text
    assert render_report([], References({}), {})


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_references_are_read_with_people_and_groups(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ref.csv",
        "\ufeffFile;heart_rate;rmssd;person;skin;note\na/x.mp4;70.5;;ann;dark;n0\nb/x.mp4;80;31;bob;light;n1\n"
        + "".join(f"{n};60;;ann;dark;n{n + 2}\n" for n in range(12)),
    )
    first, second, *_ = read_references(path)
    assert first == Reference("a/x.mp4", {"heart_rate_bpm": 70.5}, "ann", {"skin": "dark"})
    assert second.values == {"heart_rate_bpm": 80.0, "rmssd_ms": 31.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,heart_rate\nx,1\n", "no column `file`"),
        ("file,heart_rate\nx,fast\n", "line 2: heart_rate_bpm is 'fast'"),
        ("file,heart_rate\nx,70\ny,1.17\n", "line 3"),
        ("file,heart_rate\nx,nan\n", "line 2"),
        ("file,rmssd\nx,1e999\n", "line 2"),
        ("file\0,rmssd\n", "file"),
    ],
)
def test_a_reference_that_can_t_be_used_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(click.ClickException, match=said):
        read_references(write(tmp_path / "ref.csv", text))


def test_references_find_their_files_by_the_end_of_the_path(tmp_path: Path) -> None:
    files = ["data/s1/vid.avi", "data/s2/vid.avi", str(tmp_path / "deep" / "x.mp4"), "alone.mov"]
    references = [Reference(name) for name in ("s1/vid.avi", "data/s2/vid", "deep\\x.mp4", "ALONE", "./alone")]
    found = match(references, files, tmp_path)
    assert {file: r.file for file, r in found.by_file.items()} == {
        files[0]: "s1/vid.avi",
        files[1]: "data/s2/vid",
        files[2]: "deep\\x.mp4",
        files[3]: "./alone",
    }
    assert found.unmatched == ("ALONE",)
    with pytest.raises(click.ClickException, match=r"fits data/s1/vid\.avi and data/s2/vid\.avi"):
        match([Reference("vid.avi")], files, tmp_path)
    with pytest.raises(click.ClickException, match="two references"):
        match([Reference("alone"), Reference("alone.mov")], files, tmp_path)


def test_a_batch_writes_its_report(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(videos.encoded())
    (tmp_path / "c.mp4").write_text("no video")
    reference = write(tmp_path / "ref.csv", "file,heart_rate,skin\na.mp4,80,1\nb.mp4,80.5,2\nc.mp4,70,1\n")
    arguments = ["batch", str(tmp_path), "--out", str(tmp_path / "r.csv"), "--jobs", "1"]
    report = ["--reference", str(reference), "--report", str(tmp_path / "r.html")]
    done = CliRunner().invoke(main, [*arguments, *report])
    assert done.exit_code == 0, done.output
    shown = Page((tmp_path / "r.html").read_text())
    row = next(row for row in shown.rows if row[0].startswith("Heart rate") and len(row) > 4)
    assert row[1].startswith("2 (2 people)")
    before = (tmp_path / "r.csv").read_bytes()
    assert CliRunner().invoke(main, [*arguments, *report, "--resume"]).exit_code == 0
    assert (tmp_path / "r.csv").read_bytes() == before
    rows = read_rows(tmp_path / "r.csv")
    assert sum(r["heart_rate_bpm"] is not None for r in rows.values()) == 2
    elsewhere = write(tmp_path / "other.csv", "file,heart_rate\nz.mp4,80\n")
    refused = CliRunner().invoke(main, [*arguments, "--resume", "--reference", str(elsewhere)])
    assert "names none of the files" in refused.stderr


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 7.7), (41.0, 131.0), (0, 0.003), (70, 70.0001)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    assert low - 1e-9 <= found[0] < found[-1] <= high + 1e-9
