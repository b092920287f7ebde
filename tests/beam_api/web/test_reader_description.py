"""`/reader.json`: what a reader on a device has to know, from the constants of our own reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from beam_api.web.schemas.health import ReaderSchema
from rppg_core.face.description import reader_description
from rppg_core.face.exchange import N_COLOURS, SAMPLE_VERSION
from rppg_core.face.regions import CORNERS, N_REGIONS, TEMPLATE, fit

if TYPE_CHECKING:
    from flask.testing import FlaskClient


def test_it_is_for_everybody_and_says_what_the_code_does(client: FlaskClient) -> None:
    answer = client.get("/reader.json")
    assert answer.status_code == 200
    about = answer.get_json()
    assert about == json.loads(json.dumps(reader_description()))
    assert about["sample_version"] == SAMPLE_VERSION
    assert len(about["regions"]) == N_REGIONS
    assert N_REGIONS + len(about["controls"]) == about["colours"]["count"] == N_COLOURS
    assert np.array([region["corners"] for region in about["regions"]]).tolist() == CORNERS.tolist()


def test_the_template_is_that_of_the_fit() -> None:
    """Landmarks at the template, twice as large and moved, are a face of that size at that place."""
    template = np.array([one["template"] for one in reader_description()["landmarks"]])
    assert template.tolist() == TEMPLATE.tolist()
    x, y, size, roll, _ = fit(200 * template + 500).pose
    place = 500 + 200 * np.array(reader_description()["pose"]["place"])
    assert np.allclose((x, y, size, roll), (*place, 200, 0), atol=1e-3)


def test_its_documentation_has_every_name_in_it() -> None:
    assert {one.data_key or name for name, one in ReaderSchema().fields.items()} == set(reader_description())
