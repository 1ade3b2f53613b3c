FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
# Every package has a wheel for x86_64 and aarch64: no compiler is needed. `make wheels` checks it.
# requirements-otel.lock: an image that can send traces (docs/operate/traces.md).
ARG LOCK=requirements.lock
COPY ${LOCK} .
RUN pip install --only-binary :all: --require-hashes --requirement ${LOCK}

# Data that outlives the container: the generated secret, and stored files.
RUN useradd --system --uid 10001 --no-create-home app && install -d -o app -g app -m 0700 /data
ENV DATA_DIR=/data HOST=0.0.0.0
VOLUME /data

COPY . .
RUN python -m compileall -q taskproject tasks analysis
USER app

EXPOSE 8000
CMD ["python", "-m", "taskproject.web"]
