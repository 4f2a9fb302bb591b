"""Builds on several machines with Ray: files in, documents with their vectors out, in order of completion.

paths ─▶ read, on this machine ─▶ prepare and encode, on every machine ─▶ back here, to the one writer

Files need not exist on the other machines, and the encoder is sent to them. Blocks of documents wait in Ray's memory,
which is bounded. If a worker dies, Ray starts another and repeats its work; duplicate results are dropped. Ray is
imported only when it is used.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any
from warnings import catch_warnings

import msgspec
import numpy as np
from msgspec import Struct

from index import errors
from index.collections.build import Outcome
from index.collections.document_writer import Origin
from index.config import IndexConfig
from index.cpus import cpus
from index.embedding.encoder import open_encoder
from index.embedding.onnx_encoder import CARD, MODEL, TOKENIZER, OnnxEncoder
from index.errors import (
    BadRayAddress,
    DocumentError,
    DocumentTooLarge,
    EncoderMismatch,
    NotInstalled,
    RayFailed,
    RayUnavailable,
    RayVersionMismatch,
    UnreadableFile,
)
from index.storage.tables import NewDocument, NewPassage
from index.text.preparation import LARGEST_DOCUMENT, Prepared, SenderMetadata, prepare
from index.text.sources import FoundFile
from index.types import Encoder

Row = dict[str, Any]  # bytes, under one name

BLOCK = 64 * 1024  # bytes of documents per task of a worker, or one larger document
LISTED = 1000  # files read by one task
MEMORY = 256 << 20  # bytes of a local cluster's shared memory; more is spilled to its folder
RETRIES = 3  # retries of a block whose worker died: a document that kills workers must not block the build forever
PATIENCE_S = 5  # timeout for connecting to an address
STARTS = 3  # timeout of a local cluster: on a busy machine, Ray gives up after half a minute
START = "Start it with `ray start --head`, or give --ray local"
ANYWHERE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
LOCAL = {
    **ANYWHERE,
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # which also means: listen on loopback only
    "RAY_AUTH_MODE": "token",  # only this process submits work
    "RAY_AUTH_TOKEN": token_hex(32),  # otherwise Ray writes one to the home folder
}


class Job(Struct, frozen=True):
    """A file to be read on this machine."""

    source: str
    path: bytes
    origin: str


class Failed(Struct, frozen=True):
    """A DocumentError in transit: its class and its facts."""

    kind: str
    facts: dict[str, Any]


class Read(Struct, frozen=True):
    source: str
    origin: str
    data: bytes | Failed


class Result(Struct, frozen=True):
    """One of the two. `vectors`: float16 [passages, dimension], as bytes."""

    source: str
    failed: Failed | None = None
    prepared: Prepared | None = None
    vectors: bytes = b""


class RayWorkers:
    """The workers of a cluster, within `ray_workers`."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def encode_files(
        self,
        files: Sequence[FoundFile],
        existing: Mapping[str, Origin],
        encoder: Encoder,
        config: IndexConfig,
        metadata: SenderMetadata,
    ) -> Iterator[tuple[FoundFile, Outcome]]:
        """The outcome of each file, exactly once.

        Raises RayFailed; outcomes already returned are valid.
        """
        import ray

        waiting: dict[str, FoundFile] = {}
        for file in files:
            if is_unchanged(file, existing.get(file.source)):
                yield file, None
            else:
                waiting[file.source] = file
        if not waiting:
            return
        try:
            for row in self._rows(list(waiting.values()), encoder, config, metadata):
                result = msgspec.msgpack.decode(row["result"], type=Result)
                finished = waiting.pop(result.source, None)  # repeated blocks can return twice
                if finished is not None:
                    yield finished, outcome(result, config)
        except ray.exceptions.RayError as error:
            raise RayFailed(reason=reason_of(error)) from error
        if waiting:
            raise RayFailed(reason=f"{len(waiting)} documents were not returned")

    def _rows(
        self, files: Sequence[FoundFile], encoder: Encoder, config: IndexConfig, metadata: SenderMetadata
    ) -> Iterator[Row]:
        import ray
        from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
        from ray.util.annotations import RayDeprecationWarning

        quiet(DataContext.get_current())
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        model = exported(encoder)
        jobs = [{"job": pack(Job(file.source, os.fsencode(file.path), file.origin))} for file in files]
        documents = ray.data.from_items(jobs, override_num_blocks=-(-len(jobs) // LISTED)).map(
            read, compute=TaskPoolStrategy(size=1), num_cpus=0, label_selector=here
        )
        with catch_warnings(action="ignore", category=RayDeprecationWarning):  # of the last option
            results = documents.map(
                EncodingActor,  # type: ignore[arg-type]  # the class: Ray makes one in each worker
                compute=ActorPoolStrategy(
                    min_size=1, max_size=self.workers, initial_size=self.workers, max_tasks_in_flight_per_actor=2
                ),
                fn_constructor_args=(encoder.name, model, code_sha256(), config, metadata),
                num_cpus=1,
                max_task_retries=RETRIES,
            )
        return iter(results.iter_rows())


class EncodingActor:
    """A worker with its encoder. Prepares and encodes documents."""

    def __init__(
        self, name: str, model: dict[str, bytes], code: str, config: IndexConfig, metadata: SenderMetadata
    ) -> None:
        if code != code_sha256():
            raise RayVersionMismatch(machine=socket.gethostname())
        with TemporaryDirectory(prefix="pincite-encoder-") as folder:
            for file, data in model.items():
                Path(folder, file).write_bytes(data)
            self.encoder = open_encoder(name, Path(folder), threads=1)  # which compares the hashes
        if self.encoder.sha256 != config.encoder_sha256:
            raise EncoderMismatch(built_with=config.encoder, serving=f"{name} of {socket.gethostname()}")
        self.config = config
        self.metadata = metadata

    def __call__(self, row: Row) -> Row:
        task = msgspec.msgpack.decode(row["read"], type=Read)
        return {"result": pack(self.encode(task))}

    def encode(self, task: Read) -> Result:
        if isinstance(task.data, Failed):
            return Result(task.source, failed=task.data)
        try:
            prepared = prepare(task.source, task.data, task.origin, self.encoder, self.config, metadata=self.metadata)
        except DocumentError as error:
            return Result(task.source, failed=failed(error))
        texts = dict(zip(prepared.keys, prepared.embedded, strict=True))
        vectors = dict(zip(texts, self.encoder.encode(list(texts.values())).astype(np.float16), strict=True))
        together = b"".join(vectors[key].tobytes() for key in prepared.keys)
        return Result(task.source, prepared=msgspec.structs.replace(prepared, embedded=[]), vectors=together)


@contextmanager
def ray_workers(address: str) -> Iterator[RayWorkers]:
    """The workers at an address: `local` for one per CPU of this machine, `local:N`, `auto`, or `HOST:PORT`.

    Raises NotInstalled, BadRayAddress or RayUnavailable.
    """
    number = local_workers(address)
    for name, value in (LOCAL if number else ANYWHERE).items():  # read when Ray is imported
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise NotInstalled(option="--ray", package="ray") from error
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))  # Ray prints there when a worker dies
        options: dict[str, Any] = {}
        if number is not None:
            folder = stack.enter_context(TemporaryDirectory(prefix="pincite-ray-", ignore_cleanup_errors=True))
            memory = {"object_store_memory": MEMORY, "_temp_dir": folder}
            options = {"num_cpus": number, "num_gpus": 0, "include_dashboard": False, **memory}
        stack.callback(ray.shutdown)
        start(address, "local" if number else address, **options)
        workers = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if not workers:
            raise RayUnavailable(address=address, reason="the cluster has no CPUs", way="Add machines to it")
        yield RayWorkers(workers)


def start(address_option: str, address: str, **options: Any) -> None:  # noqa: ANN401  # Ray's own
    """Start or join Ray. Translates the various errors of a missing cluster to one."""
    import ray

    if match := re.fullmatch(r"\[?(.+?)\]?:(\d+)", address):  # Ray itself would retry for long
        try:
            socket.create_connection((match[1], int(match[2])), PATIENCE_S).close()
        except OSError as error:
            raise RayUnavailable(address=address_option, reason=reason_of(error), way=START) from error
    for attempts_left in reversed(range(STARTS if address == "local" else 1)):
        try:
            with silent():
                ray.init(address, **options, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # Ray raises it if one of its own processes starts too slowly
            ray.shutdown()
            if not attempts_left:
                way = "Try again when this machine is less busy" if address == "local" else START
                raise RayUnavailable(address=address_option, reason=reason_of(error), way=way) from error
        else:
            return


@contextmanager
def silent() -> Iterator[None]:
    """Discard standard error, also of compiled code: Ray prints there before logging is configured."""
    saved_stderr = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved_stderr, 2)
        os.close(saved_stderr)


def local_workers(address: str) -> int | None:
    """The number of workers to start here; None for an existing cluster. Raises BadRayAddress.

    >>> local_workers("local:2")
    2
    """
    if match := re.fullmatch(r"local(?::([1-9]\d{0,3}))?", address):
        return int(match[1] or cpus())
    if address.startswith("ray://"):
        raise BadRayAddress(
            address=address,
            reason="Ray Data cannot stream through its client. Let this machine join (ray start --address HOST:6379 "
            "--num-cpus 0), and give auto",
        )
    elsewhere = re.fullmatch(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", address)
    if address != "auto" and (address.startswith("local:") or not elsewhere):
        raise BadRayAddress(address=address, reason="use local, local:N, auto or HOST:PORT")
    return None


def is_unchanged(file: FoundFile, existing: Origin | None) -> bool:
    """Whether the index already contains the current file."""
    if existing is None or existing[0] != file.origin:
        return False
    try:
        return sha256(file.path.read_bytes()).hexdigest() == existing[1]
    except OSError:
        return False  # the next reader reports it


def read(row: Row) -> Row:
    """Read a file on this machine."""
    job = msgspec.msgpack.decode(row["job"], type=Job)
    path = Path(os.fsdecode(job.path))
    data: bytes | Failed
    try:
        if (size := path.stat().st_size) > LARGEST_DOCUMENT:
            data = failed(DocumentTooLarge(source=job.source, bytes=size, limit=LARGEST_DOCUMENT))
        else:
            data = path.read_bytes()
    except OSError as error:
        data = failed(UnreadableFile(source=job.source, reason=error.strerror))
    return {"read": pack(Read(job.source, job.origin, data))}


def outcome(result: Result, config: IndexConfig) -> NewDocument | DocumentError:
    prepared = result.prepared
    if prepared is None:
        assert result.failed  # noqa: S101  # a worker of ours sends one of the two
        error: DocumentError = getattr(errors, result.failed.kind)(**result.failed.facts)
        return error
    vectors = np.frombuffer(result.vectors, np.float16).reshape(len(prepared.passages), config.dimension)
    passages = map(NewPassage, prepared.passages, prepared.keys, vectors)
    return NewDocument(
        prepared.document,
        prepared.origin,
        prepared.file,
        prepared.spans,
        list(passages),
        prepared.structure,
        prepared.extraction,
    )


def failed(error: DocumentError) -> Failed:
    return Failed(type(error).__name__, error.facts)


def exported(encoder: Encoder) -> dict[str, bytes]:
    """The files of an exported encoder; empty if there is none, and workers must find the model by its name."""
    if not isinstance(encoder, OnnxEncoder):
        return {}
    return {name: (encoder.folder / name).read_bytes() for name in (CARD, MODEL, TOKENIZER)}


def code_sha256() -> str:
    """A hash of this package, because another version could split differently."""
    folder = Path(__file__).parents[1]
    hashed = sha256()
    for path in sorted(folder.rglob("*.py")):
        hashed.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def pack(value: Struct) -> bytes:
    return msgspec.msgpack.encode(value)


def reason_of(error: BaseException) -> str:
    """The root cause in one line: Ray's messages contain stacks of other processes."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return re.sub(r"^(\w+\.)+\w+: ", "", lines[-1]).rstrip(".") if lines else type(cause).__name__


def quiet(context: Any) -> None:  # noqa: ANN401  # Ray's DataContext
    """Disable Ray's progress bars and logs, and keep its blocks as small as ours."""
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = context.target_min_block_size = BLOCK
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
