# The image for AMD GPUs, on x86-64: ROCm and MIGraphX come from AMD's container, Triton from PyPI.
#   docker build -f docker/migraphx.Dockerfile -t triptych:0.1.0-migraphx .
ARG ROCM=rocm/dev-ubuntu-24.04:7.2-complete

FROM ${ROCM} AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpython3.12 python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY pyproject.toml requirements.lock docker/migraphx.txt ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --no-deps --require-hashes -r uv.lock
ENV PATH=/opt/uv/bin:$PATH VIRTUAL_ENV=/opt/triptych UV_CONSTRAINT=requirements.lock UV_BUILD_CONSTRAINT=requirements.lock \
    UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN uv venv --python /usr/bin/python3 /opt/triptych
RUN uv pip install -r pyproject.toml --extra core --extra engine
# All builds of ONNX Runtime lie in one folder, so there can be one.
RUN uv pip uninstall onnxruntime && uv pip install --no-deps --require-hashes -r migraphx.txt
COPY . .
RUN uv build --wheel --out-dir /dist && uv pip install --no-deps /dist/*.whl

FROM python
LABEL org.opencontainers.image.title="Triptych" \
      org.opencontainers.image.description="Smart search and faces over photos with Triton Inference Server, on AMD GPUs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN install -d -o 1000 -g 1000 /data
ENV PATH=/opt/triptych/bin:$PATH HOME=/data XDG_DATA_HOME=/data XDG_CACHE_HOME=/data/cache XDG_STATE_HOME=/data/state \
    ORT_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1 TRIPTYCH_PROFILE=migraphx
COPY --from=build /opt/triptych /opt/triptych
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 8000 8001
# MIGraphX compiles every batch size once, which takes minutes.
HEALTHCHECK --interval=30s --timeout=20s --start-period=30m --retries=3 CMD ["triptych", "status", "--check"]
ENTRYPOINT ["triptych"]
CMD ["serve", "--host", "0.0.0.0"]
