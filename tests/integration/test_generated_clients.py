"""Clients generated from /openapi.json, in Python and TypeScript, measure a face on a running service."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.web.reference.examples import recorded
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services import Service

pytestmark = pytest.mark.integration

SCENE = Scene(duration_s=10.1, fps=15.0, frame_size=(320, 300), eyes_px=45.0, seed=5)
START_MS = 1_750_000_000_000.0
TYPESCRIPT = Path(__file__).with_name("typescript")
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "ECONNRESET")


@pytest.fixture(scope="module")
def face() -> list[tuple[float, bytes]]:
    """Capture times in ms and JPEGs: 10.1 s at 72 bpm, 15 a second."""
    simulated = simulate_face(SCENE)
    return [(START_MS + 1000 * at_s, simulated.jpeg(i)) for i, at_s in enumerate(simulated.times_s)]


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    store = connect(running_url(service.data_dir))
    made = Keys(KeyStore(store)).create("generated clients", tier="enterprise").key
    store.close()
    return made


def run(*command: str | Path, folder: Path, timeout_s: float = 200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="module")
def python_client(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The modules of a client that openapi-python-client has generated, by their names in the package."""
    pytest.importorskip("openapi_python_client")
    folder = tmp_path_factory.mktemp("python")
    (folder / "config.yml").write_text("post_hooks: []\n")  # they would only format it
    options = ("--url", f"{service.url}/openapi.json", "--meta", "none", "--output-path", "beam_generated")
    command = (sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--config", "config.yml")
    ended = run(*command, *options, folder=folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sys.path.insert(0, str(folder))
    try:
        package = importlib.import_module("beam_generated")
        names = [module.name for module in pkgutil.walk_packages(package.__path__, "beam_generated.")]
        yield SimpleNamespace(**{name.rpartition(".")[2]: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "beam_generated"]:
            del sys.modules[name]


def test_the_python_client_measures_a_face(
    python_client: Any, service: Service, key: str, face: list[tuple[float, bytes]]
) -> None:
    models, types = python_client.models, python_client.types
    client = python_client.client.AuthenticatedClient(
        service.url, key, prefix="", auth_header_name="X-API-Key", timeout=httpx.Timeout(60)
    )
    operation = importlib.import_module("beam_generated.api.measure.measure")
    answers = []
    with client:
        for at in range(0, 150, 15):  # 10 s
            body = models.Upload(
                frame=[types.File(BytesIO(jpeg), mime_type="image/jpeg") for _, jpeg in face[at : at + 15]],
                timestamp_ms=[at_ms for at_ms, _ in face[at : at + 15]],
                duration_ms=10_000,
                session_id="python",
            )
            answers.append(operation.sync(client=client, body=body))
    *filling, done = answers
    assert all(isinstance(answer, models.BufferingAnswer) for answer in filling)
    assert [answer.data.progress for answer in filling] == sorted(answer.data.progress for answer in filling)
    assert done.data.heart_rate == pytest.approx(SCENE.heart_rate_bpm, abs=2)
    withheld = {name for name in done.data.withheld.additional_properties if not name.startswith("hrv_details.")}
    assert withheld == {"hrv", "stress_index", "respiration_rate"}


def test_the_python_client_distinguishes_answers_by_their_status(python_client: Any) -> None:
    models = python_client.models
    complete, buffering = (recorded()["measure"][status] for status in ("200", "202"))
    assert models.MeasurementAnswer.from_dict(complete).data.status == "complete"
    assert models.BufferingAnswer.from_dict(buffering).data.status == "buffering"
    other = buffering["data"] | {"status": "complete"}
    with pytest.raises(ValueError, match="status must match const 'buffering'"):
        models.Buffering.from_dict(other)


def test_the_python_client_reads_errors_and_the_scan_api(python_client: Any, service: Service, key: str) -> None:
    models = python_client.models
    scans = importlib.import_module("beam_generated.api.scans.create_scan_session")
    keys = importlib.import_module("beam_generated.api.keys.get_key")
    with python_client.client.AuthenticatedClient(service.url, "beam_sk_of_nobody") as stranger:
        assert keys.sync(client=stranger).error.code == "INVALID_API_KEY"
        assert isinstance(scans.sync(client=stranger), models.Detail)
    with python_client.client.AuthenticatedClient(service.url, key) as known:
        assert keys.sync(client=known).data.tier == "enterprise"
        assert scans.sync(client=known).session_id.startswith("sess_")


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """What npm installs for a lock file, kept for as long as that stays the same."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs Node and npm")
    lock = (TYPESCRIPT / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beam"
    kept = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (kept / "node_modules").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(TYPESCRIPT / name, made)
            ended = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=Path(made), timeout_s=240)
            if ended.returncode and any(name in ended.stderr for name in NO_NETWORK):
                pytest.skip("npm can't reach its registry")
            assert ended.returncode == 0, ended.stderr
            kept.mkdir(exist_ok=True)
            try:
                (Path(made) / "node_modules").rename(kept / "node_modules")
            except OSError:  # another run was first
                assert (kept / "node_modules").is_dir()
    return kept / "node_modules"


def test_a_program_with_the_generated_types_compiles_and_measures_a_face(
    node_modules: Path, service: Service, key: str, face: list[tuple[float, bytes]], tmp_path: Path
) -> None:
    for file in TYPESCRIPT.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "node_modules").symlink_to(node_modules, target_is_directory=True)
    (tmp_path / "openapi.json").write_bytes(httpx.get(f"{service.url}/openapi.json").content)
    (tmp_path / "times.json").write_text(json.dumps([at_ms for at_ms, _ in face]))
    for number, (_, jpeg) in enumerate(face):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg)

    for command in (("generate.mjs", "openapi.json", "beam.d.ts"), ("node_modules/typescript/bin/tsc", "-p", ".")):
        ended = run("node", *command, folder=tmp_path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "frame: Blob[];" in (tmp_path / "beam.d.ts").read_text()
    ended = run("node", "measure.js", service.url, key, ".", folder=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["heart_rate"] == pytest.approx(SCENE.heart_rate_bpm, abs=2)
    assert len(ended.stderr.split()) == 9
