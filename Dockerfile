# Built in one stage and run in another: no compiler and no pip cache in what runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/cog-gateway
COPY setup.py README.md LICENSE ./
COPY gateway gateway
COPY data data
RUN /opt/cog-gateway/bin/pip install --no-cache-dir '.[postgres,valkey]'

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cog-gateway \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/cog-gateway
COPY --from=build /opt/cog-gateway /opt/cog-gateway
ENV PATH=/opt/cog-gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_STATE_DIR=/var/lib/cog-gateway
USER 10001
WORKDIR /var/lib/cog-gateway
VOLUME /var/lib/cog-gateway
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["cog-gateway"]
CMD ["serve"]
