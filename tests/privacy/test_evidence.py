"""What looks for images would find one: the tests that nothing was left are worth something."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.store.client import connect
from tests import images, videos
from tests.privacy.endings import changed
from tests.privacy.evidence import (
    Traces,
    Watch,
    files,
    values,
    written,
)
from tests.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


# The search itself: what is planted is found --------------------------------------------------------------------


@pytest.fixture
def traces() -> Traces:
    return Traces()


def test_an_image_in_redis_would_be_found(traces: Traces, tmp_path: Path) -> None:
    picture = traces.picture("planted", images.jpeg(images.still_face()))
    with EmbeddedRedis(tmp_path) as server:
        redis = connect(server.url)
        redis.set("string", b"x" + picture)
        redis.hset("hash", "field", picture)
        redis.rpush("list", b"a", picture[1000:])
        redis.zadd("zset", {picture[2000:]: 1})
        redis.sadd("set", picture)
        redis.xadd("stream", {"field": picture})
        found = {name: traces.found_in(data) for name, data in values(redis)}
        assert len(found) == 6
        assert all(found.values())
        redis.flushall()
        assert list(values(redis)) == []
        redis.connection_pool.disconnect()
        kept = [traces.found_in(data) for name, data in files([tmp_path]) if name.endswith("appendonly.aof")]
        assert kept
        assert kept[0]


@pytest.mark.parametrize("form", ["file", "pixels", "base64", "another image", "a video", "a PNG"])
def test_an_image_on_the_disk_would_be_found_in_every_form(traces: Traces, tmp_path: Path, form: str) -> None:
    image = images.still_face()
    picture = traces.picture("planted", images.jpeg(image))
    import base64

    import simplejpeg

    left = {
        "file": picture[200:],
        "pixels": simplejpeg.decode_jpeg(picture, colorspace="BGR").tobytes(),
        "base64": base64.b64encode(picture),
        "another image": images.jpeg(images.wall()),
        "a video": videos.blank(1),
        "a PNG": images.png(image),
    }[form]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"before" + left)
    assert next(traces.found_in(data) for _, data in files([tmp_path]))


def test_a_temporary_file_would_be_found_and_its_bytes_counted(traces: Traces, tmp_path: Path) -> None:
    picture = traces.picture("planted", images.jpeg(images.still_face()))
    before, count = changed(tmp_path), written(os.getpid())
    time.sleep(0.02)
    with Watch(lambda: [os.getpid()], traces, lambda target: not target.startswith(str(tmp_path))) as watch:
        nameless = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(nameless, picture)
        assert wait_until(lambda: bool(watch.found))
        os.close(nameless)
    assert written(os.getpid()) - count >= len(picture)
    assert changed(tmp_path) == before  # which is why bytes are counted as well
    (tmp_path / "named").write_bytes(picture)
    (tmp_path / "named").unlink()
    assert changed(tmp_path) != before


def test_random_bytes_look_like_no_image(traces: Traces) -> None:
    assert traces.found_in(np.random.default_rng(7).bytes(8 * 2**20)) == []
