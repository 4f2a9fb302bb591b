"""The `pincite` command as a subprocess."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from index.cli.printing import printable
from service.cli.printing import line_at
from service.client.requests import headers
from service.http.openapi import openapi_config
from service.version import VERSION
from tests.support.commands import ROOT, pincite, serving

HEAVY = ("pymilvus", "milvus_lite", "grpc", "torch", "transformers", "sentence_transformers")


def test_help_is_quick_to_load_and_names_every_environment_variable() -> None:
    loaded = "import sys, pincite; print([name for name in sys.modules])"
    names = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for heavy in (*HEAVY, "numpy", "litestar", "onnxruntime", "rich"):
        assert f"'{heavy}'" not in names
    for command in ("build", "serve", "ask", "list", "delete"):
        told = pincite(command, "--help")
        assert told.returncode == 0
        options = set(re.findall(r"^  (--[a-z-]+)", told.stdout, re.MULTILINE)) - {"--help"}
        for option in options:
            variable = "PINCITE_" + option.strip("-").replace("-", "_").upper()
            assert variable in re.sub(r"\s+", " ", told.stdout).replace("_ ", "_"), (command, option)
        assert {"--index", "--collection"} <= options


def test_no_command_but_those_of_evaluation_loads_any_of_it() -> None:
    loading = """
import sys, pincite
for name in pincite.pincite.list_commands(None):
    if name not in ("eval", "compare", "calibrate"):
        pincite.pincite.get_command(None, name)
import index.backends, service.answering.answering, service.http.app
unwanted = ("eval", "matplotlib", "ir_measures", "scipy", "sklearn")
print([name for name in sys.modules if name.partition(".")[0] in unwanted])
"""
    loaded = subprocess.run([sys.executable, "-c", loading], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_the_command_the_api_and_the_client_tell_one_version() -> None:
    told = pincite("--version").stdout
    assert told == f"pincite {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}\n"
    assert told == f"pincite {VERSION}\n"
    assert headers(None)["User-Agent"] == f"pincite/{VERSION}"
    assert openapi_config().version == VERSION


def test_building_again_changes_nothing_and_prints_no_control_characters(index_folder: Path, documents: Path) -> None:
    told = pincite("build", documents, "--index", index_folder)
    assert told.returncode == 0, told.stderr
    assert "0 added, 0 updated, 5 unchanged, 0 removed" in told.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.stdout + told.stderr)


def with_encoder(index: Path, other: Path) -> None:
    """Create an index folder with the encoders of another, so that none is exported."""
    (index / "encoders").mkdir(parents=True)
    for encoder in (other / "encoders").iterdir():
        (index / "encoders" / encoder.name).symlink_to(encoder.resolve())


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_built(index_folder: Path, tmp_path: Path) -> None:
    index, given = tmp_path / "index", tmp_path / "given"
    with_encoder(index, index_folder)
    given.mkdir()
    (given / "good.txt").write_text("Owls hunt at night.")
    (given / "bad.txt").write_bytes(bytes(range(256)))
    told = pincite("build", given, "--index", index)
    assert told.returncode == 1
    assert "Could not be read: 1" in told.stderr
    assert "bad.txt" in told.stderr
    assert pincite("list", "--index", index).stdout.splitlines()[1].startswith("good.txt\t1\t19\tutf-8")

    with serving(given, "--index", index) as (_, address):
        assert httpx.get(f"{address}/ready").json()["collections"][0]["documents"] == 1

    (given / "good.txt").unlink()
    told = pincite("serve", given, "--index", index, "--port", "0")
    assert told.returncode == 1
    assert "no documents" in told.stderr


def test_an_index_is_built_and_deleted_from_while_it_is_served(
    index_folder: Path, documents: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(index_folder, index, symlinks=True)
    (tmp_path / "heron.txt").write_text("The heron nests in the old quarry.")
    with serving("--index", index) as (_, address):

        def sources() -> list[str]:
            listed = httpx.get(f"{address}/v1/documents", timeout=10).json()["documents"]
            return [document["source"] for document in listed]

        assert pincite("build", tmp_path / "heron.txt", "--index", index).returncode == 0
        assert "heron.txt" in sources()
        assert httpx.put(f"{address}/v1/documents/owl.txt", content=b"Owls hunt.", timeout=30).status_code == 201
        assert pincite("build", documents, "--index", index).returncode == 0
        assert {"owl.txt", "heron.txt"} < set(sources())
        told = pincite("delete", "heron.txt", "owl.txt", "--index", index)
        assert (told.returncode, told.stdout) == (0, "Deleted: 2\n")
        assert not {"owl.txt", "heron.txt"} & set(sources())
        told = pincite("delete", "metals.md", "owl.txt", "--index", index)
        assert (told.returncode, told.stderr) == (1, "pincite: The document 'owl.txt' does not exist.\n")
        assert "metals.md" in sources()


def test_a_wrong_call_exits_with_2(index_folder: Path, tmp_path: Path) -> None:
    for arguments in (
        ("build", tmp_path / "nowhere", "--index", index_folder),
        ("build", "--index", index_folder),
        ("build", tmp_path),
        ("ask", " ", "--index", index_folder),
        ("ask", "x" * 3000, "--index", index_folder),
        ("ask", "Who?", "--index", index_folder, "--max-answers", "0"),
        ("list", "--index", index_folder, "--collection", "../default"),
        ("serve", "--index", index_folder, "--port", "70000"),
        ("serve", "--index", index_folder, "--host", "0.0.0.0"),  # noqa: S104
        ("serve", "--index", index_folder, "--nonsense"),
    ):
        told = pincite(*arguments)
        assert told.returncode == 2, (arguments, told.stderr)
        assert told.stdout == ""
        assert "Traceback" not in told.stderr
    told = pincite("serve", "--index", index_folder, env={"PINCITE_THREADS": "many"})
    assert (told.returncode, told.stderr) == (
        2,
        "pincite: PINCITE_THREADS is 'many'; it must be a whole number from 1 up.\n",
    )


def test_what_is_not_there_is_one_clear_line_and_exits_with_1(index_folder: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("ask", "Who?", "--index", tmp_path), "There is no index in"),
        (("list", "--index", tmp_path / "none"), "There is no index in"),
        (("list", "--index", index_folder, "--collection", "news"), "The collection 'news' does not exist"),
        (("ask", "Who?", "--index", index_folder, "--collection", "news"), "The collection 'news' does not exist"),
    ):
        told = pincite(*arguments)
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.startswith(f"pincite: {said}")
        assert told.stderr.count("\n") == 1


def test_a_folder_without_an_index_is_served_empty_and_filled_over_http(index_folder: Path, tmp_path: Path) -> None:
    with_encoder(tmp_path / "index", index_folder)
    with serving("--index", tmp_path / "index") as (process, address):
        question = {"question": "When does the ferry leave?", "min_confidence": 0}
        answer = httpx.post(f"{address}/v1/ask", json=question, timeout=30).json()
        assert (answer["status"], answer["answers"], answer["index"]["documents"]) == ("abstained", [], 0)
        text = b"The ferry leaves Aldhaven at 7:40."
        assert httpx.put(f"{address}/v1/documents/ferry.txt", content=text, timeout=30).status_code == 201
        answer = httpx.post(f"{address}/v1/ask", json=question, timeout=30).json()
        assert answer["answers"][0]["text"].encode() == text
        mapped = Path(f"/proc/{process.pid}/maps")
        if mapped.exists():
            assert "libtorch" not in mapped.read_text()


def test_collections_are_made_and_dropped_beside_a_running_service(index_folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(index_folder, index, symlinks=True)
    (tmp_path / "heron.txt").write_text("The heron nests in the old quarry.")
    with serving("--index", index) as (_, address):
        listed = f"{address}/v1/documents?collection=birds"
        assert httpx.get(listed).status_code == 404
        told = pincite("build", tmp_path / "heron.txt", "--index", index, "--collection", "birds")
        assert told.returncode == 0, told.stderr
        assert [each["source"] for each in httpx.get(listed, timeout=30).json()["documents"]] == ["heron.txt"]
        told = pincite("collections", "list", "--index", index)
        assert [line.split("\t")[:2] for line in told.stdout.splitlines()] == [
            ["birds", "1 documents"],
            ["default", "5 documents"],
        ]
        assert pincite("collections", "drop", "birds", "--index", index).returncode == 0
        assert httpx.get(listed).status_code == 404
        assert pincite("collections", "make", "birds", "--index", index).returncode == 0
        assert httpx.get(listed, timeout=30).json()["documents"] == []
        assert len(httpx.get(f"{address}/v1/documents").json()["documents"]) == 5
    for arguments in (("drop", "none"), ("drop", "default"), ("make", "birds"), ("make", "../x")):
        told = pincite("collections", *arguments, "--index", index)
        assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr


def test_an_answer_is_printed_with_its_place(index_folder: Path) -> None:
    told = pincite("ask", "How much do dogs pay on the ferry?", "--index", index_folder, "--min-confidence", "0")
    assert told.returncode == 0
    assert "Dogs travel free." in told.stdout.replace("**", "")
    assert "harbour/ferry.txt, line 3, sentence 3 of 3, characters 69 to 86, bytes 69 to 86" in told.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.stdout)


def test_no_answer_is_said_plainly_with_the_nearest_passages(index_folder: Path) -> None:
    told = pincite("ask", "How much do dogs pay on the ferry?", "--index", index_folder, "--min-confidence", "1")
    assert told.returncode == 0
    assert told.stdout.startswith("The documents do not seem to answer this.")
    assert "Nearest passages:" in told.stdout
    assert "harbour/ferry.txt, line" in told.stdout


def test_json_is_the_response_of_the_service(index_folder: Path) -> None:
    question = "Where is the pilot station?"
    told = pincite("ask", question, "--index", index_folder, "--json", "--max-answers", "3", "--passages", "0")
    printed = json.loads(told.stdout)
    with serving("--index", index_folder) as (_, address):
        served = httpx.post(f"{address}/v1/ask", json={"question": question}, timeout=30).json()
    for changing in ("request_id", "timings_ms"):
        del printed[changing], served[changing]
    assert printed == served


def test_serving_imports_nothing_heavy_and_sigterm_ends_it_with_0(index_folder: Path) -> None:
    with serving("--index", index_folder) as (process, address):
        assert httpx.get(f"{address}/ready", timeout=10).status_code == 200
        answer = httpx.post(f"{address}/v1/ask", json={"question": "When does the ferry leave?"}, timeout=30)
        assert answer.json()["status"] in ("answered", "abstained")
        mapped = Path(f"/proc/{process.pid}/maps")
        if mapped.exists():
            assert "libtorch" not in mapped.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        assert process.stderr
        assert re.findall(r"\[(\w+) *\] (\w+)", process.stderr.read()) == [
            ("info", event) for event in ("ready", "request", "request", "stopped")
        ]


def test_answering_imports_nothing_heavy(index_folder: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from litestar.testing import TestClient
from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings
app = create_app(Answering.open(Path({str(index_folder)!r})), Settings.from_env({{}}, allow_anonymous=True))
with TestClient(app) as client:
    assert client.post("/v1/ask", json={{"question": "When does the ferry leave?"}}).status_code == 200
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stdout == "[]\n", told.stderr


def test_sigint_ends_with_130(index_folder: Path) -> None:
    with serving("--index", index_folder) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 130


def test_a_question_in_flight_is_answered_before_the_service_ends(index_folder: Path) -> None:
    with serving("--index", index_folder) as (process, address):
        questions = {"questions": ["When does the ferry leave?"] * 20}
        with httpx.stream("POST", f"{address}/v1/ask/batch", json=questions, timeout=60) as response:
            lines = response.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert len(list(lines)) == 19
        assert process.wait(timeout=15) == 0


def test_a_port_in_use_is_one_clear_line(index_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = pincite("serve", "--index", index_folder, "--port", port)
    assert told.returncode == 1
    assert told.stderr == f"pincite: Cannot listen on 127.0.0.1, port {port}: address already in use.\n"


def test_a_big_body_is_refused_by_the_real_server(index_folder: Path) -> None:
    with serving("--index", index_folder) as (_, address):
        headers = {"Content-Type": "application/json"}
        response = httpx.post(f"{address}/v1/ask", content=b'"' + b"a" * 10_000_000 + b'"', headers=headers, timeout=30)
        assert response.status_code == 413
        head = httpx.head(f"{address}/v1/files/metals.md")
        assert (head.status_code, head.content) == (200, b"")
        assert "server" not in head.headers


def test_nothing_printed_can_command_a_terminal() -> None:
    assert printable("a\x1b[2J\x9b1m\r\nb\tc") == "a\ufffd[2J\ufffd1m  b c"


def test_lines_end_with_cr_lf_or_both() -> None:
    assert [line_at("a\r\nb\rc\nd", place) for place in (0, 3, 5, 7)] == [1, 2, 3, 4]


def test_list_shows_a_table_on_a_terminal(index_folder: Path) -> None:
    script = shutil.which("script")
    if script is None:
        pytest.skip("needs the `script` command for a terminal")
    command = f"{sys.executable} -m pincite list --index {index_folder}"
    told = subprocess.run(
        [script, "-qec", f"env COLUMNS=120 {command}", "/dev/null"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0
    assert "│ harbour/ferry.txt" in told.stdout
