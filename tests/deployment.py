"""What is in deploy/, as tests look at it and run it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parents[1] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Kubernetes object, with the name of its file."""
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def find(kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    return next(d for _, d in documents() if d["kind"] == kind and d["metadata"]["name"] == name)


def container(name: str) -> dict[str, Any]:
    """The container of the Deployment `beam-NAME`."""
    (found,) = find("Deployment", f"beam-{name}")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def command(name: str, **replaced: str) -> list[str]:
    """The command of that container, to be run here; `replaced` are arguments to give other values."""
    program, *arguments = container(name)["command"]
    for old, new in replaced.items():
        at = arguments.index(f"--{old}") + 1
        arguments[at] = new
    return [str(Path(sys.executable).with_name(program)), *arguments]
