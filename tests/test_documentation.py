"""The documents say what the code does: settings, codes, tiers, links."""

import re
from pathlib import Path
from typing import Any

import pytest

from beam_api.config import VARIABLES
from beam_api.server import capacity, connection, gunicorn_conf, lingering, patience
from beam_api.services.access.keys import TIERS
from beam_api.services.windows.measuring import AT_WORK
from beam_api.web import draining, error_responses
from beam_api.web.documents import source
from beam_api.web.schemas.measure_form import MOST_FRAMES
from beam_api.web.views.measure import LIMITS
from rppg_core.media import images, video

MOST_VIDEO_MB = {variable.name: variable.default for variable in VARIABLES}["BEAM_VIDEO_MB"]
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_YET = {"WINDOW_TOO_SHORT"}  # of the core, and raised by no route
NOT_YET |= {"INVALID_VIDEO", "UNUSABLE_VIDEO", "CONFLICT", "UNPROCESSABLE"}  # of the scan API, which tells no codes


def rows(text, heading):
    """The cells of the table under a heading, without its first two lines."""
    table = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_settings_is_that_of_the_code():
    stated = [tuple(cell.replace("`", "") for cell in row) for row in rows(SETTINGS, "Variables")]
    assert stated == [tuple(variable) for variable in VARIABLES]


def test_the_table_of_tiers_is_that_of_the_code():
    stated = {row[0].strip("`"): int(re.match(r"\d+", row[1])[0]) for row in rows(API, "Rate limits")}
    assert stated == TIERS


def test_every_error_code_is_documented_with_its_status():
    stated = {code: int(row[0]) for row in rows(API, "Errors") for code in re.findall(r"`([A-Z_]+)`", row[1])}
    kinds: list[Any] = list(error_responses.STATUS)
    raised = {kind.code: int(error_responses.status_of(kind)) for kind in kinds} | {
        code: int(status) for status, code in error_responses._HTTP_CODES.items() if code != "INVALID_PARAMETER"
    }
    assert stated == {code: status for code, status in raised.items() if code not in NOT_YET}


def test_every_error_code_says_what_to_do():
    stated = {row[1].strip("`"): int(row[0]) for row in rows((ROOT / "docs" / "errors.md").read_text(), "What to do")}
    assert stated == {code: int(row[0]) for row in rows(API, "Errors") for code in re.findall(r"`([A-Z_]+)`", row[1])}


def test_every_document_has_its_place_on_the_pages():
    files = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert files == set(source.NAMES)
    assert len(source.NAMES) == len(files)


def test_the_pictures_of_the_readme_are_there_and_small():
    names = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(names) >= 4
    assert {name.replace("-dark", "-light") for name in names if "-dark" in name} <= set(names)
    for name in names:
        assert (ROOT / name).stat().st_size < 150_000, name


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_limits_stated_are_those_of_the_code():
    stated = (ROOT / "docs" / "limits.md").read_text()
    mib = 2**20
    for line in (
        f"| request line | {gunicorn_conf.limit_request_line} bytes |",
        f"| {gunicorn_conf.limit_request_fields}, of {gunicorn_conf.limit_request_field_size} bytes each |",
        f"| head of a request, and TLS handshake | {connection.HEAD_S:.0f} s in all |",
        f"an allowance of {patience.ALLOWANCE_S:.0f} s of waiting; each {patience.RATE // 1024} KB that arrive",
        f"for more than {patience.PRESSED_S:.0f} s | {patience.PRESSED_ALLOWANCE_S:.0f} s, and "
        f"{patience.PRESSED_RATE // 1024} KB a second |",
        f"| {draining.BOUND_BYTES // mib} MB, {draining.BOUND_S:.0f} s |",
        f"| taking an answer | {connection.SEND_S:.0f} s |",
        f"| connections of a web process | {capacity.MOST_CONNECTIONS}, or",
        f"the files that it may open less {capacity.RESERVED_FILES}",
        f"{lingering.LINGER_S:.0f} s; {lingering.MOST_LINGERING} of a web process",
        f"one of the {gunicorn_conf.threads} threads of a web process",
        f"| body | {LIMITS.body_bytes // mib} MB |",
        f"| {LIMITS.file_bytes // mib} MB; {LIMITS.files_bytes // mib} MB |",
        f"| frames | {MOST_FRAMES} |",
        f"Frames of {AT_WORK} requests are",
        f"| pixels | {images.MAX_PIXELS // 10**6} megapixels, from the header |",
        f"| pixels read whole | {images.WHOLE_PIXELS // 10**6} megapixels;",
        f"| scans of a progressive JPEG | {images.MAX_SCANS} |",
        f"| file | {MOST_VIDEO_MB} MB |",
        f"{video.SMALLEST_SIDE} pixels a side to {video.MOST_PIXELS // 10**6} megapixels",
    ):
        assert line in stated, line
