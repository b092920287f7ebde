"""The documents say what the code does: settings, codes, tiers, links."""

import re
from pathlib import Path

import pytest

from beam_api import errors
from beam_api.config import VARIABLES
from beam_api.services.keys import TIERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_YET = {"WINDOW_TOO_SHORT"}  # of the core, and raised by no route
NOT_YET |= {"INVALID_VIDEO", "UNUSABLE_VIDEO", "CONFLICT", "UNPROCESSABLE"}  # of the scan API, which tells no codes


def rows(text, heading):
    """The cells of the table under a heading, without its first two lines."""
    table = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_settings_is_that_of_the_code():
    told = [tuple(cell.replace("`", "") for cell in row) for row in rows(README, "Settings")]
    assert told == [tuple(variable) for variable in VARIABLES]


def test_the_table_of_tiers_is_that_of_the_code():
    told = {row[0].strip("`"): int(re.match(r"\d+", row[1])[0]) for row in rows(README, "Rate limits")}
    assert told == TIERS


@pytest.mark.parametrize("text", [README, API], ids=["README", "api.md"])
def test_every_error_code_is_told_with_its_status(text):
    told = {code: int(row[0]) for row in rows(text, "Errors") for code in re.findall(r"`([A-Z_]+)`", row[1])}
    raised = {kind.code: int(errors.status_of(kind)) for kind in errors.STATUS} | {
        code: int(status) for status, code in errors._HTTP_CODES.items() if code != "INVALID_PARAMETER"
    }
    assert told == {code: status for code, status in raised.items() if code not in NOT_YET}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
