"""What video codecs do to the heart rate: faces, and photographs that must have none, sent through them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.recordings import single_threaded_pool
from benchmarks.streams import Sent, Stream, face_scene, photo_scene, random_stream, send
from rppg_core.reader import FaceReader
from rppg_core.scenes import Scene

Case = tuple[Scene, list[Stream]]


def cases(first_seed: int, faces: int, photos: int, streams: int) -> list[Case]:
    """So many faces and photographs, each sent through so many streams. Hearts beat at any rate, some at the keyframes'."""
    found: list[Case] = []
    for i in range(faces):
        rng = np.random.default_rng([41, first_seed + i])
        ways = [random_stream(rng) for _ in range(streams)]
        scene = face_scene(first_seed + i)
        at_keyframes = [60 * scene.fps / way.gop for way in ways if 45 <= 60 * scene.fps / way.gop <= 180]
        if i % 4 == 0 and at_keyframes:
            scene = face_scene(first_seed + i, heart_rate_bpm=at_keyframes[0])
        found.append((scene, ways))
    for i in range(photos):
        rng = np.random.default_rng([42, first_seed + i])
        found.append((photo_scene(first_seed + i), [random_stream(rng) for _ in range(streams)]))
    return found


def sent(todo: list[Case], cache: Path | None = None) -> Iterator[Sent]:
    """Send them all; what is in the cache is not made again."""
    with single_threaded_pool() as pool:
        for part in pool.imap(_work, [(case, cache) for case in todo], chunksize=1):
            yield from part


_reader: list[FaceReader] = []


def _work(job: tuple[Case, Path | None]) -> list[Sent]:
    (scene, streams), cache = job
    cv2.setNumThreads(1)
    os.environ["SVT_LOG"] = "1"
    path = cache / f"{'face' if scene.pulse else 'photo'}-{scene.seed}.pickle" if cache else None
    if path and path.exists():
        made: list[Sent] = pickle.loads(path.read_bytes())
        return made
    if not _reader:
        _reader.append(FaceReader())
    made = send(scene, streams, _reader[0])
    if path:
        path.write_bytes(pickle.dumps(made))
    return made
