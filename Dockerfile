# The same steps as make run, in two stages: what builds does not go along. docs/operations.md says how to run it.
FROM debian:bookworm-slim AS build
# Within a stable release Debian changes versions for fixes alone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates make python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/namesake
COPY Makefile requirements.txt ./
COPY packaging packaging
RUN make setup
COPY LICENSE README.md wsgi.py gunicorn.conf.py ./
COPY app app
RUN .venv/bin/python -m compileall -q app
COPY static static
COPY templates templates

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin namesake \
    && install --directory --owner=namesake --group=namesake --mode=0700 /data
COPY --from=build /opt/namesake /opt/namesake
WORKDIR /opt/namesake
# Another machine, and to a container its host is one, gets an answer only where there is a password.
ENV NAMESAKE_HOME=/data NAMESAKE_BIND=0.0.0.0:8000 NAMESAKE_LOG_FORMAT=json PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD [".venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz/ready', timeout=4)"]
CMD [".venv/bin/gunicorn", "wsgi:app"]
