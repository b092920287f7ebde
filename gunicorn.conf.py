"""`gunicorn` started here runs the service; the settings are those of `beam serve`."""

from beam_api.gunicorn_conf import *  # noqa: F403
