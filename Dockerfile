FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /app
COPY requirements.lock .
RUN pip install --only-binary :all: --require-hashes --requirement requirements.lock

COPY . .
RUN pip install --no-deps --no-build-isolation --editable . \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin pantau \
    && install --directory --owner pantau --mode 700 /var/lib/pantau

USER pantau
ENV PANTAU_HOME=/var/lib/pantau
VOLUME /var/lib/pantau

# Settings, schema and database. Not `pantau doctor`: it also knocks at every outlet.
HEALTHCHECK --interval=5m --timeout=30s --start-period=1m \
    CMD ["pantau", "findings", "--limit", "1", "--json"]

ENTRYPOINT ["pantau"]
CMD ["run"]
