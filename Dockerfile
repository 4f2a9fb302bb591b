FROM python:3.11-slim AS build

# The package index for torch; empty: pip's default. On Linux that is a build for NVIDIA GPUs with several
# gigabytes of libraries. For a small image, use the index of torch's CPU builds from torch's installation page:
#   docker build --build-arg TORCH_INDEX=... .
ARG TORCH_INDEX=""
# Which of requirements/ to install: `base`, or `scale` with the clients of Milvus and Ray.
ARG REQUIREMENTS=base

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
COPY requirements/base.txt requirements/scale.txt requirements/torch.txt requirements/
RUN pip install --no-deps --require-hashes --only-binary :all: --requirement "requirements/$REQUIREMENTS.txt"
RUN pip install --only-binary :all: ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement requirements/torch.txt
COPY pyproject.toml README.md LICENSE ./
COPY eval eval
COPY pincite.py pincite.py
COPY index index
COPY prompts prompts
COPY service service
RUN pip install --no-deps . && pip check


FROM python:3.11-slim

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent pincite \
    && install --directory --owner pincite --group pincite /data
COPY --from=build /opt/venv /opt/venv
COPY seeds /seeds
# Caches are in a folder that is writable in a read-only container.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Anyone who reaches the port may ask and read. Writing needs a key: `pincite keys make --scope write --index /data`.
CMD ["pincite", "serve", "/seeds", "--index", "/data", "--host", "0.0.0.0", "--port", "8000", "--allow-anonymous"]
