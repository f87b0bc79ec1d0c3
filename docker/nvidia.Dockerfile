# The image for NVIDIA, on x86-64 and arm64: Triton with its native onnxruntime backend, CUDA, cuDNN and TensorRT come from NVIDIA's container.
#   docker build -f docker/nvidia.Dockerfile -t triptych:0.1.0-nvidia .
ARG TRITON=nvcr.io/nvidia/tritonserver:26.05-py3

# A virtual environment of the container's own Python, which its Python stub is built for; our packages go there, Triton's stay.
FROM ${TRITON} AS build
WORKDIR /build
COPY pyproject.toml requirements.lock ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && python3 -m pip install --no-cache-dir --no-deps --require-hashes --target /opt/uv -r uv.lock
ENV PATH=/opt/uv/bin:$PATH VIRTUAL_ENV=/opt/triptych UV_CONSTRAINT=requirements.lock UV_BUILD_CONSTRAINT=requirements.lock \
    UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN uv venv --python /usr/bin/python3 /opt/triptych
RUN uv pip install -r pyproject.toml --extra core
COPY . .
RUN uv build --wheel --out-dir /dist && uv pip install --no-deps /dist/*.whl

FROM ${TRITON}
LABEL org.opencontainers.image.title="Triptych" \
      org.opencontainers.image.description="Smart search and faces over photos with Triton Inference Server, on NVIDIA GPUs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN install -d -o 1000 -g 1000 /data
ENV PATH=/opt/triptych/bin:$PATH HOME=/data XDG_DATA_HOME=/data XDG_CACHE_HOME=/data/cache XDG_STATE_HOME=/data/state \
    ORT_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1 TRIPTYCH_PROFILE=cuda
COPY --from=build /opt/triptych /opt/triptych
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 8000 8001
# A first start with TensorRT builds its engines, which takes minutes for each network.
HEALTHCHECK --interval=30s --timeout=20s --start-period=30m --retries=3 CMD ["triptych", "status", "--check"]
ENTRYPOINT ["triptych"]
CMD ["serve", "--host", "0.0.0.0"]
