"""gunicorn's settings for a service whose analyses wait where a test wants them to: `-c python:tests.faults.held`.

A session named `STAGE-...` is held at a stage, one of `STAGES`, while the file `hold` is in `BEAM_TEST_FOLDER`; the
process that is held there leaves a file `STAGE-....PID`. All else is the service as it is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from beam_api.server.gunicorn_conf import *  # noqa: F403
from beam_api.server.gunicorn_conf import load as load_as_it_is

if TYPE_CHECKING:
    from flask import Flask

STAGES = ("claimed", "analysed", "saved")
wsgi_app = "tests.faults.held:load()"
threads = 16  # those that are held must leave some for the rest


def load() -> Flask:  # type: ignore[no-redef]
    """The app, with waits around its analysis and after its save."""
    from beam_api.web.context import EXTENSION

    app = load_as_it_is()
    measuring = app.extensions[EXTENSION].measuring
    measure, save = measuring._measure, measuring._windows.save

    def measure_slowly(request, appended, claim):
        _hold("claimed", request.session.session_id)
        measurement = measure(request, appended, claim)
        _hold("analysed", request.session.session_id)
        return measurement

    def save_slowly(session, claim, *kept):
        saved = save(session, claim, *kept)
        _hold("saved", session.session_id)
        return saved

    measuring._measure, measuring._windows.save = measure_slowly, save_slowly
    return app


def _hold(stage: str, session_id: str) -> None:
    folder = Path(os.environ["BEAM_TEST_FOLDER"])
    if not session_id.startswith(stage) or not (folder / "hold").exists():
        return
    (folder / f"{session_id}.{os.getpid()}").touch()
    while (folder / "hold").exists():
        time.sleep(0.01)
