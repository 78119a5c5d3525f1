FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# A worker has a home of its own, and in it the outlets that `pantau run` keeps.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pantau \
    && install --directory --owner pantau --mode 700 /var/lib/pantau /var/lib/pantau-worker \
    && ln --symbolic ../pantau/outlets.toml /var/lib/pantau-worker/outlets.toml

WORKDIR /app
COPY requirements.lock .
# luqum writes its tables beside its code when it is first imported, which only root can
RUN pip install --only-binary :all: --require-hashes --requirement requirements.lock \
    && python -c "import luqum.parser"

COPY . .
RUN pip install --no-deps --no-build-isolation --editable . \
    && python -m compileall -q .

# by its number: Kubernetes has to see that it is not root
USER 10001
ENV PANTAU_HOME=/var/lib/pantau \
    PANTAU_LOG_TO=stderr \
    PANTAU_DASHBOARD_ADDRESS=0.0.0.0:8080
VOLUME /var/lib/pantau

# The dashboard, and through it the database. (A worker has none: docker-compose.yml.)
EXPOSE 8080
HEALTHCHECK --interval=1m --timeout=10s --start-period=1m \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=9)"]

ENTRYPOINT ["pantau"]
CMD ["run"]
