"""Imports point inward: a room imports only the rooms beneath it (docs/architecture.md), at run time or for types."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_FREE = {"beam_api.exceptions", "rppg_core"}  # everything in the service may import these
_INNER = {"beam_api.store", "beam_api.adapters", "beam_api.monitoring", "beam_api.host", "beam_api.config"}
MAY_IMPORT = {
    "beam_api": {"beam_api.config", "beam_api.web"},
    "beam_api.cli": {*_INNER, "beam_api.server", "beam_api.services", "beam_api.video_worker"} | {"beam_api.web"},
    "beam_api.web": {*_INNER, "beam_api.services", "beam_api.wiring"},
    "beam_api.wiring": {*_INNER, "beam_api.services", "beam_api.server", "beam_api.web"},
    "beam_api.video_worker": {*_INNER, "beam_api.services", "beam_api.wiring", "beam_api.web"},
    "beam_api.server": {"beam_api", "beam_api.config", "beam_api.host", "beam_api.monitoring"},
    "beam_api.services": {*_INNER},
    "beam_api.config": {"beam_api.adapters", "beam_api.host", "beam_api.store"},
    "beam_api.adapters": {"beam_api.store", "beam_api.host"},
    "beam_api.store": {"beam_api.monitoring"},
    "beam_api.monitoring": set(),
    "beam_api.host": set(),
    "beam_api.exceptions": set(),
}

CORE_MAY_IMPORT = {
    "rppg_core.media": {"errors"},
    "rppg_core.trace": {"errors", "bands"},
    "rppg_core.face": {"errors", "media", "trace"},
    "rppg_core.methods": {"errors", "bands"},
    "rppg_core.vital": {"bands", "trace"},
    "rppg_core.pulse": {"errors", "bands", "face", "methods", "trace", "vital"},
    "rppg_core.quality": {"bands", "errors", "methods", "face", "pulse", "results", "trace", "vital"},
    "rppg_core.simulation": {"errors", "face", "media", "trace", "vital"},
}

FOREIGN = {
    "flask": {"beam_api.web", "beam_api.server", "beam_api.video_worker"},
    "beam_client": {"beam_api.cli"},
    "redis": {"beam_api.store", "beam_api.adapters", "beam_api.monitoring", "beam_api.server", "beam_api.wiring"}
    | {"beam_api.cli", "beam_api.services", "beam_api.web", "beam_api.video_worker"},
}


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = ROOT.joinpath(*node.module.split("."), name.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                yield f"{node.module}.{name.name}" if is_module else node.module


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


SERVICE = [(module, path) for module, path in _modules("beam_api") if "examples" not in path.parts]


@pytest.mark.parametrize(("module", "path"), SERVICE, ids=[module for module, _ in SERVICE])
def test_a_room_of_the_service_imports_only_what_lies_beneath_it(module, path):
    room = _room(module)
    for imported in _imports(path):
        other = _room(imported)
        package = imported.partition(".")[0]
        if package == "rppg_core" or other in _FREE or other == room or package != "beam_api":
            assert room in FOREIGN.get(package, {room}), f"{module} imports {imported}"
            continue
        assert other in MAY_IMPORT[room], f"{module} imports {imported}"


CORE = list(_modules("rppg_core"))


@pytest.mark.parametrize(("module", "path"), CORE, ids=[module for module, _ in CORE])
def test_the_core_imports_neither_the_service_nor_outer_rooms(module, path):
    for imported in _imports(path):
        assert imported.partition(".")[0] not in {"beam_api", "flask", "redis", "gunicorn"}, imported
        room, other = _room(module), _room(imported)
        if imported.startswith("rppg_core.") and room in CORE_MAY_IMPORT and other != room:
            allowed = CORE_MAY_IMPORT[room] | {"numerics"}
            assert other.removeprefix("rppg_core.") in allowed, f"{module} imports {imported}"


CLIENT = sorted((ROOT / "clients" / "python" / "beam_client").glob("*.py"))


@pytest.mark.parametrize("path", CLIENT, ids=[path.stem for path in CLIENT])
def test_the_client_imports_nothing_of_the_service_and_is_python_3_9(path):
    for imported in _imports(path):
        assert imported.partition(".")[0] not in {"beam_api", "rppg_core"}, imported
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_every_room_states_its_rule():
    for init in (path for package in ("beam_api", "rppg_core") for path in (ROOT / package).rglob("__init__.py")):
        assert ast.get_docstring(ast.parse(init.read_text())), init


def test_an_idle_video_worker_has_not_loaded_what_analyses_need():
    large = {"cv2", "dlib", "av", "numpy", "scipy", "flask"}
    program = f"import sys, beam_api.cli.worker, beam_api.video_worker.worker; print(*{large} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
