# The image of every task, and of Beam's workers: the locked packages and our wheel.
#
#   make image                 CPU
#   make image VARIANT=cuda    with CUDA's libraries as the lock file pins them
#
# Python 3.10 is the stack of TFX 1.16, whose kfp extra the tasks' commands need.
# Names such as python@sha256:... keep a build from ever taking another image than the
# one that was looked at: docker build --build-arg PYTHON_IMAGE=...
ARG PYTHON_IMAGE=python:3.10-slim-bookworm
# Starts a Beam worker; of the version of Beam that uv.lock names.
ARG BEAM_IMAGE=apache/beam_python3.10_sdk:2.67.0

FROM $BEAM_IMAGE AS beam

FROM $PYTHON_IMAGE AS locked

# One of the packages comes as a source of C++ only.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
# The wheel for Linux on x86_64, which pip compares with its hash.
RUN echo "uv==0.13.9 --hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19" > /tmp/uv.txt \
    && pip install --no-cache-dir --only-binary=:all: --require-hashes --requirement=/tmp/uv.txt

ENV UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON=/usr/local/bin/python3.10
WORKDIR /build
COPY pyproject.toml uv.lock .python-version ./
ARG VARIANT=cpu
RUN --mount=type=cache,target=/root/.cache/uv \
    case "$VARIANT" in \
      cpu) uv sync --frozen --no-default-groups --no-install-project ;; \
      cuda) uv sync --frozen --no-default-groups --no-install-project --extra cuda ;; \
      *) echo "VARIANT: expected cpu or cuda, got $VARIANT" >&2; exit 1 ;; \
    esac

FROM locked AS wheel
COPY setup.py README.md local_runner.py kubeflow_runner.py ./
COPY schema schema
COPY transform transform
COPY trainer trainer
COPY components components
COPY pipeline pipeline
RUN --mount=type=cache,target=/root/.cache/uv uv build --wheel --out-dir /dist

FROM $PYTHON_IMAGE
RUN useradd --uid 1000 --create-home movielens
COPY --from=locked /opt/venv /opt/venv
COPY --from=beam /opt/apache/beam /opt/apache/beam
# TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
# Beam's boot program would make an environment of its own for a worker, and miss /opt/venv.
# The folders of CUDA's libraries are not there in the CPU variant, which does no harm.
ENV PATH=/opt/venv/bin:$PATH \
    TF_USE_LEGACY_KERAS=1 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    NVIDIA=/opt/venv/lib/python3.10/site-packages/nvidia
ENV LD_LIBRARY_PATH=$NVIDIA/cublas/lib:$NVIDIA/cuda_cupti/lib:$NVIDIA/cuda_nvrtc/lib:$NVIDIA/cuda_runtime/lib:$NVIDIA/cudnn/lib:$NVIDIA/cufft/lib:$NVIDIA/curand/lib:$NVIDIA/cusolver/lib:$NVIDIA/cusparse/lib:$NVIDIA/nccl/lib:$NVIDIA/nvjitlink/lib \
    XLA_FLAGS=--xla_gpu_cuda_data_dir=$NVIDIA/cuda_nvcc
# A change of our code changes this layer only.
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    pip install --no-cache-dir --no-deps --no-index --compile /dist/*.whl
USER movielens
WORKDIR /home/movielens
# Beam's runners start the image as it is; the pipeline's tasks come with their command.
ENTRYPOINT ["/opt/apache/beam/boot"]
