# The gateway, its user pool and its demo in one image. Two stages, so that no build tool stays in it.
#   docker build -t cognito-gateway .            BASE needs Python 3.11 or newer with venv, and a shell for the first stage
#   docker run --read-only --tmpfs /data -p 8000:8000 -v ./gateway.yaml:/etc/cognito-gateway/gateway.yaml:ro cognito-gateway
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
RUN python3 -m venv /opt/gateway
COPY requirements.lock /tmp/requirements.lock
RUN /opt/gateway/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
        -r /tmp/requirements.lock \
 && /opt/gateway/bin/python -m pip check \
 && /opt/gateway/bin/python -m pip uninstall --quiet --yes setuptools pip
COPY gateway /opt/gateway/app/gateway
COPY LICENSE /opt/gateway/LICENSE
RUN /opt/gateway/bin/python -m compileall -q /opt/gateway/app /opt/gateway/lib \
 && printf '#!/bin/sh\nexec /opt/gateway/bin/python -m gateway "$@"\n' > /opt/gateway/bin/cognito-gateway \
 && chmod 755 /opt/gateway/bin/cognito-gateway \
 && mkdir -p /tmp/data && chown 65532:65532 /tmp/data

FROM ${BASE}
COPY --from=build /opt/gateway /opt/gateway
COPY --from=build /tmp/data /data
ENV PATH=/opt/gateway/bin:$PATH PYTHONPATH=/opt/gateway/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
USER 65532:65532
EXPOSE 8000
# GATEWAY_PORT tells the check where the gateway listens, when that is not port 8000.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/opt/gateway/bin/python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('GATEWAY_PORT', '8000') + '/livez', timeout=2)"]
ENTRYPOINT ["/opt/gateway/bin/cognito-gateway"]
CMD ["run", "-c", "/etc/cognito-gateway/gateway.yaml"]
