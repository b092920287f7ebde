"""The files of docs/, which are part of the package, and their order on the pages."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(str(resources.files("beam_api.web") / "pages" / "docs"))


class Entry(NamedTuple):
    """A page: its file's name without `.md`, and what the sidebar calls it."""

    name: str
    label: str


class Section(NamedTuple):
    """A group of pages in the sidebar."""

    title: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Section(
        "Start",
        (
            Entry("quickstart", "Quickstart"),
            Entry("errors", "Errors"),
            Entry("changelog", "Changelog"),
        ),
    ),
    Section(
        "Tutorials",
        (
            Entry("tutorials/first-measurement", "First measurement"),
            Entry("tutorials/mobile-backend", "Mobile backend"),
            Entry("tutorials/telehealth-monitoring", "Telehealth monitoring"),
            Entry("tutorials/validation-study", "Validation study"),
            Entry("tutorials/several-machines", "Several machines"),
        ),
    ),
    Section(
        "API",
        (
            Entry("api", "Measure API"),
            Entry("scans", "Scan API"),
            Entry("clients", "Writing a client"),
            Entry("mobile", "Measuring on a device"),
            Entry("limits", "Limits"),
        ),
    ),
    Section(
        "Operation",
        (
            Entry("operations", "Running it"),
            Entry("settings", "Settings"),
            Entry("scaling", "Several machines"),
            Entry("capacity", "Capacity"),
            Entry("reliability", "Reliability"),
            Entry("security", "Security"),
            Entry("privacy", "Privacy"),
        ),
    ),
    Section(
        "Accuracy",
        (
            Entry("accuracy", "Figures"),
            Entry("variability", "Variability"),
            Entry("accuracy/hard-cases", "Hard cases"),
            Entry("validation", "Your own study"),
            Entry("algorithms", "Signal processing"),
        ),
    ),
    Section(
        "Inside",
        (
            Entry("architecture", "Architecture"),
            Entry("extending", "Extending"),
            Entry("plumbing", "Plumbing"),
            Entry("releasing", "Releasing"),
            Entry("glossary", "Glossary"),
        ),
    ),
)
"""Every file of docs/ in its place; mkdocs.yml has the same order."""

NAMES = tuple(entry.name for section in NAVIGATION for entry in section.entries)
FIRST = NAMES[0]
_LABELS = {entry.name: entry.label for section in NAVIGATION for entry in section.entries}


def path_of(name: str) -> str:
    """The path at which the service shows a page."""
    return "/docs" if name == FIRST else f"/docs/{name}"


def label_of(name: str) -> str | None:
    """What the sidebar calls a page."""
    return _LABELS.get(name)


def read(name: str) -> str:
    """The text of one of the pages in `NAMES`."""
    return (FOLDER / f"{name}.md").read_text("utf-8")


def neighbours(name: str) -> tuple[Entry | None, Entry | None]:
    """The pages before and after one, in the order of the sidebar."""
    entries = [entry for section in NAVIGATION for entry in section.entries]
    at = NAMES.index(name)
    return (entries[at - 1] if at else None, entries[at + 1] if at + 1 < len(entries) else None)
