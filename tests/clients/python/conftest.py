"""A service as it runs in the field, keys of it, and a face to measure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_client import Beam
from tests import images, videos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services import Service


@pytest.fixture
def make_key(service: Service) -> Iterator[Callable[..., str]]:
    """Make a key of the service: `make_key(tier="scan")`."""
    redis = connect(running_url(service.data_dir))

    def make(**options: Any) -> str:
        return Keys(KeyStore(redis)).create("tester", **{"tier": "starter", **options}).key

    yield make
    redis.close()


@pytest.fixture
def beam(service: Service, make_key: Callable[..., str]) -> Iterator[Beam]:
    with Beam(service.url, make_key()) as client:
        yield client


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """10.6 s of a face at 80 bpm."""
    path = tmp_path / "face.mp4"
    path.write_bytes(videos.encoded())
    return path


@pytest.fixture(scope="session")
def frames() -> list[tuple[float, bytes]]:
    """The same face as JPEG frames with their times in milliseconds."""
    return [
        (1000 * time_s, images.jpeg(picture, 95))
        for time_s, picture in zip(videos.face().times_s, videos.pictures(), strict=True)
    ]


def blocks(page: Path, language: str) -> list[str]:
    """The code of a page's blocks of a language."""
    return [
        code
        for name, code in re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
        if name == language
    ]
