# The service with its embedded Redis. What it needs comes as wheels (x86-64) whose hashes are in requirements.lock, so
# nothing else can get in. A file of its own is compiled, for which the first stage is the image that has a compiler. It
# runs as an ordinary user, and with a read-only root filesystem:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -p 8000:8000 -v beam-data:/data beam
FROM python:3.12 AS build

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN python -m venv /opt/beam
WORKDIR /app
COPY requirements.lock ./
RUN /opt/beam/bin/pip install --require-hashes --only-binary=:all: --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
# The pages of the documentation: a link in beam_api leads here.
COPY docs docs
COPY rppg_core rppg_core
COPY beam_api beam_api
COPY clients/python/beam_client clients/python/beam_client
# setuptools, which builds it, is in the lock.
RUN /opt/beam/bin/pip install --no-deps --no-build-isolation --no-index . \
    && /opt/beam/bin/python -P -c "import rppg_core.face._landmarks, rppg_core.face._witnesses" \
    && /opt/beam/bin/pip check \
    && /opt/beam/bin/pip uninstall --yes pip

FROM python:3.12-slim

ENV PATH=/opt/beam/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BEAM_DATA_DIR=/data

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin beam \
    && install --directory --owner=beam --group=beam --mode=0700 /data
COPY --from=build /opt/beam /opt/beam

USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]

CMD ["beam", "serve", "--host", "0.0.0.0", "--port", "8000"]
