"""Samples as a client of our own reader sends them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from rppg_core.face.exchange import SAMPLE_VERSION, write_sample

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from rppg_core.face.reader import FaceReader, Frame

PATH = "/api/rppg/samples"
SIZE = [480, 440]
Rows = list[dict[str, Any]]


def read_rows(reader: FaceReader, requests: list[list[Frame]]) -> list[Rows]:
    """The samples of frames that are read request by request, each with its face."""
    last, rows = None, []
    for frames in requests:
        readings = reader.read(frames, last)
        last = readings[-1].face
        rows.append([write_sample(r.time_us, r.sample, r.face) for r in readings if r.sample])
    return rows


def send(client: FlaskClient, key: str, samples: Any, *, packed: bool = False, **fields: Any) -> TestResponse:
    body = {"sample_version": SAMPLE_VERSION, "frame_size": SIZE, "samples": samples, **fields}
    return send_text(client, key, json.dumps(body).encode(), packed=packed)


def send_text(client: FlaskClient, key: str, text: bytes, *, packed: bool = False, coding: str = "") -> TestResponse:
    coding = "gzip" if packed else coding
    more = {"Content-Encoding": coding} if coding else {}
    return client.post(
        PATH,
        data=gzip.compress(text) if packed else text,
        content_type="application/json",
        headers={"X-API-Key": key, **more},
    )
