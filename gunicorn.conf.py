"""`gunicorn` started here runs the service; the settings are those of `beam serve`."""

from beam_api.server.gunicorn_conf import *  # noqa: F403
