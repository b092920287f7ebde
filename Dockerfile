# The service with its embedded Redis. Everything comes as wheels (x86-64), so nothing is compiled.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    BEAM_DATA_DIR=/data

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin beam \
    && install --directory --owner=beam --group=beam --mode=0700 /data

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY rppg_core rppg_core
COPY beam_api beam_api
RUN pip install --only-binary=:all: .

USER beam
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]

CMD ["beam", "serve", "--host", "0.0.0.0", "--port", "8000"]
