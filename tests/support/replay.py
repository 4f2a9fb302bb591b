"""States of a folder that a power loss can leave: recorded system calls, applied as far as they were synced.

The contents of a file survive up to its last fsync. Created, renamed and removed names survive once their folder is
synced. Later operations may survive or not, in any order, and a write may be truncated.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,truncate,ftruncate,fallocate,sendfile,copy_file_range,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync"
)
LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
STARTED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
HANDLE = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>")
FORGOTTEN = "-shm"  # SQLite rebuilds its shared memory after a power loss


class Call(NamedTuple):
    """A successful system call. `began`: how many others had ended when it started."""

    name: str
    arguments: list[str]
    result: int
    began: int


def record(command: Sequence[str], log: Path) -> None:
    """Run a program and log its system calls. Raises CalledProcessError if it fails."""
    tracing = [
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        "100000000",
        "--seccomp-bpf",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(log),
        "--",
    ]
    subprocess.run([*tracing, *command], check=True)


def traceable() -> bool:
    """Whether system calls can be traced on this machine."""
    try:
        return (
            subprocess.run(["strace", "-f", "--seccomp-bpf", "true"], check=False, capture_output=True).returncode == 0
        )
    except FileNotFoundError:
        return False


def calls(log: Path) -> Iterator[Call]:
    """The calls in the order in which they ended."""
    ended = 0
    waiting: dict[str, tuple[str, int]] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            began = ended
            if started := STARTED.match(line):
                waiting[started[1]] = (started[2], ended)
                continue
            if resumed := RESUMED.match(line):
                start, began = waiting.pop(resumed[1])
                line = f"{resumed[1]} {start}{resumed[2]}"  # noqa: PLW2901  # the two halves of one line
            found = LINE.match(line)
            if found and int(found[4]) >= 0:
                ended += 1
                yield Call(found[2], found[3].split(", "), int(found[4]), began)


class File:
    def __init__(self) -> None:
        self.safe = bytearray()
        self.pending: list[tuple[int, int, bytes | None]] = []  # time, offset, data; None truncates the file there

    def written(self, chosen: Callable[[], bool], torn: Callable[[bytes], bytes]) -> bytearray:
        content = bytearray(self.safe)
        for _, place, data in self.pending:
            if chosen():
                apply(content, place, None if data is None else torn(data))
        return content

    def sync(self, began: int) -> None:
        while self.pending and self.pending[0][0] <= began:
            _, place, data = self.pending.pop(0)
            apply(self.safe, place, data)


def apply(content: bytearray, place: int, data: bytes | None) -> None:
    if data is None:
        del content[place:]
    content.extend(bytes(max(0, place - len(content))))
    if data is not None:
        content[place : place + len(data)] = data


class Folder:
    def __init__(self) -> None:
        self.now: dict[str, File | Folder] = {}


class Renaming:
    """A change of names, which is atomic."""

    def __init__(self, when: int, changes: list[tuple[Folder, str, File | Folder | None]]) -> None:
        self.when = when
        self.changes = changes
        self.safe = False


class Disk:
    """The current state of a folder, and what of it may be on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = Folder()
        self.names: list[Renaming] = []
        self.places: dict[str, int] = {}  # offsets of open handles, by path
        self.ended = 0

    # ---- effects of system calls

    def take(self, call: Call) -> str | None:
        """Apply a call; return its path relative to the root, if it is inside."""
        self.ended += 1
        handle = HANDLE.match(call.arguments[0])
        paths = [self.inside(path) for path in paths_of(call)]
        if call.name in ("open", "openat", "creat"):
            flags = next((each for each in call.arguments if "O_" in each), "O_CREAT|O_TRUNC|O_WRONLY")
            return self.opened(paths[-1], flags)
        if call.name.startswith(("mkdir", "symlink", "link")):
            if paths[-1] not in (None, "."):
                self.name(paths[-1], Folder() if call.name.startswith("mkdir") else File())
            return paths[-1]
        if call.name.startswith(("unlink", "rmdir")):
            if paths[-1] is not None:
                self.name(paths[-1], None)
            return paths[-1]
        if call.name.startswith("rename"):
            return self.renamed(paths[0], paths[-1])
        path = self.inside(unescaped(handle[1])) if handle else None
        node = None if path is None else self.find(path)
        if path is None or node is None:
            return None
        if call.name in ("fsync", "fdatasync"):
            self.synced(node, call.began)
        elif isinstance(node, File):
            self.wrote(path, node, call)
        return path

    def inside(self, path: str) -> str | None:
        path = os.path.normpath(path)
        return os.path.relpath(path, self.root) if Path(path).is_relative_to(self.root) else None

    def find(self, path: str) -> File | Folder | None:
        node: File | Folder | None = self.top
        for part in Path(path).parts:
            node = node.now.get(part) if isinstance(node, Folder) else None
        return node

    def name(self, path: str, node: File | Folder | None, *, leaving: str | None = None) -> None:
        changes = []
        for each, becomes in ((leaving, None), (path, node)):
            if each is not None:
                folder = self.find(str(Path(each).parent))
                if not isinstance(folder, Folder):
                    raise LookupError(each)
                changes.append((folder, Path(each).name, becomes))
                folder.now[Path(each).name] = becomes  # type: ignore[assignment]
                if becomes is None:
                    del folder.now[Path(each).name]
        self.names.append(Renaming(self.ended, changes))

    def opened(self, path: str | None, flags: str) -> str | None:
        if path is None or path == ".":
            return path
        node = self.find(path)
        if node is None:
            if "O_CREAT" not in flags:
                return path
            self.name(path, node := File())
        if isinstance(node, File):
            if "O_TRUNC" in flags:
                node.pending.append((self.ended, 0, None))
            self.places[path] = len(full(node)) if "O_APPEND" in flags else 0
        return path

    def renamed(self, source: str | None, target: str | None) -> str | None:
        if target is None or source is None:
            return None
        self.name(target, self.find(source), leaving=source)
        for path in [path for path in self.places if Path(path).is_relative_to(source)]:
            self.places[target + path[len(source) :]] = self.places.pop(path)
        return target

    def wrote(self, path: str, node: File, call: Call) -> None:
        if call.name == "ftruncate":
            node.pending.append((self.ended, int(call.arguments[1]), None))
            return
        place = int(call.arguments[-1]) if call.name.startswith("pwrite") else self.places.get(path, 0)
        if call.name in ("sendfile", "copy_file_range"):
            given = HANDLE.match(call.arguments[1 if call.name == "sendfile" else 0])
            origin = self.find(self.inside(unescaped(given[1])) or "?") if given else None
            if not isinstance(origin, File):
                raise LookupError(call.name)
            data = bytes(full(origin)[place : place + call.result])
        else:
            data = b"".join(bytes_of(text) for text in TEXT.findall(" ".join(call.arguments)))[: call.result]
        node.pending.append((self.ended, place, data))
        if not call.name.startswith("pwrite"):
            self.places[path] = place + call.result

    def synced(self, node: File | Folder, began: int) -> None:
        if isinstance(node, File):
            node.sync(began)
            return
        for renaming in self.names:
            if renaming.when <= began and any(folder is node for folder, *_ in renaming.changes):
                renaming.safe = True

    def last_written(self, path: str) -> bytes:
        """The data of the last write to a file."""
        node = self.find(path)
        return node.pending[-1][2] or b"" if isinstance(node, File) else b""

    # ---- states on disk

    def leave(self, target: Path, random: Random, names: float, data: float) -> None:
        """Write what was synced, and each later rename and write with a probability."""
        entries: dict[int, dict[str, File | Folder]] = {}
        for renaming in self.names:
            if renaming.safe or random.random() < names:
                for folder, name, node in renaming.changes:
                    entries.setdefault(id(folder), {}).pop(name, None)
                    if node is not None:
                        entries[id(folder)][name] = node

        def torn(whole: bytes) -> bytes:
            return whole if data in (0, 1) or random.random() < 0.8 else whole[: random.randrange(len(whole) + 1)]

        def write(folder: Folder, place: Path) -> None:
            place.mkdir()
            for name, node in entries.get(id(folder), {}).items():
                if isinstance(node, Folder):
                    write(node, place / name)
                elif not name.endswith(FORGOTTEN):
                    (place / name).write_bytes(node.written(lambda: random.random() < data, torn))

        write(self.top, target)


def full(file: File) -> bytearray:
    return file.written(lambda: True, lambda data: data)


def paths_of(call: Call) -> list[str]:
    """The paths in a call, made absolute."""
    found, folder = [], ""
    for argument in call.arguments:
        if handle := HANDLE.match(argument):
            folder = unescaped(handle[1])
        elif (text := TEXT.fullmatch(argument)) and not call.name.startswith(("write", "pwrite")):
            found.append(os.path.join(folder, unescaped(text[1])))  # noqa: PTH118  # an absolute path wins
    return found


def unescaped(text: str) -> str:
    return os.fsdecode(bytes_of(text))


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
