# obo-proxy as an image of its own: no shell is needed to run it, no privilege, and no file system to write to.
#
#   docker build --tag obo-proxy --build-arg VERSION=1.2.3 .
#
# For builds that can be repeated give the base by its digest: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:…

ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /build

# What requests pass through most is compiled, by the base's own distribution's compiler, which stays behind in this stage.
# A distribution's own Python has its headers in a package of their own. With --build-arg COMPILED= all stays Python.
ARG COMPILED=true
RUN test -z "${COMPILED}" || { apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev \
        $(test -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" || echo python3-dev); }

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1

# Everything is what the lock files say, down to the hash: what builds the wheel in one environment, what runs in another.
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes --requirement requirements-build.lock
RUN python -m venv --without-pip /opt/obo-proxy \
    && /opt/build/bin/pip --python /opt/obo-proxy/bin/python install --require-hashes --only-binary :all: --requirement requirements.lock

# Without VERSION the wheel is called what pyproject.toml falls back to: the image's context has no git history.
ARG VERSION=
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
# Nobody but the interpreter looks for symbols in what is compiled: hidden, they take no memory, and calls are direct.
RUN SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION#v} HATCH_BUILD_HOOK_ENABLE_MYPYC=${COMPILED} CFLAGS=-fvisibility=hidden \
    /opt/build/bin/hatchling build --target wheel --directory dist \
    && /opt/build/bin/pip --python /opt/obo-proxy/bin/python install --no-deps --no-index dist/*.whl \
    # Nothing can be written at run time, so bytecode is made now, and never compared with its source again.
    && /opt/obo-proxy/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/obo-proxy/lib


FROM ${PYTHON_IMAGE}
ARG VERSION=
LABEL org.opencontainers.image.title="obo-proxy" \
      org.opencontainers.image.description="On-behalf-of forwarding reverse proxy (RFC 8693)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/obo-proxy /opt/obo-proxy

# The public side must be reachable from outside of the container; the admin side stays on its loopback unless
# OBO_ADMIN_HOST says otherwise, which OBO_ADMIN_TOKEN_FILE goes with. Both ports are said here so that the health check knows where to ask.
ENV PATH=/opt/obo-proxy/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OBO_HOST=0.0.0.0 \
    OBO_PORT=8080 \
    OBO_ADMIN_PORT=9090
EXPOSE 8080 9090
# A volume mounted here belongs to the user below: for the keys that `obo-proxy keys new` makes.
RUN install --directory --owner 65532 --group 65532 --mode 0700 /var/lib/obo-proxy
WORKDIR /var/lib/obo-proxy
# A number, so that an orchestrator can see that it is not root's; no such user need exist.
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["obo-proxy", "healthcheck"]
ENTRYPOINT ["obo-proxy"]
CMD ["serve"]
