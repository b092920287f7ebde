# The image with the client of S3, for a spool that several machines share: build the plain one first, as `beam`.
#   docker build -t beam . && docker build -t beam-s3 -f deploy/s3.Dockerfile .
FROM beam
USER root
RUN pip install --only-binary=:all: "s3fs>=2025.2"
USER beam
