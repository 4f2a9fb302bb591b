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
        result = pincite(command, "--help")
        assert result.returncode == 0
        options = set(re.findall(r"^  (--[a-z-]+)", result.stdout, re.MULTILINE)) - {"--help"}
        for option in options:
            variable = "PINCITE_" + option.strip("-").replace("-", "_").upper()
            assert variable in re.sub(r"\s+", " ", result.stdout).replace("_ ", "_"), (command, option)
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
    result = pincite("--version").stdout
    assert result == f"pincite {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}\n"
    assert result == f"pincite {VERSION}\n"
    assert headers(None)["User-Agent"] == f"pincite/{VERSION}"
    assert openapi_config().version == VERSION


def test_building_again_changes_nothing_and_prints_no_control_characters(index_folder: Path, documents: Path) -> None:
    result = pincite("build", documents, "--index", index_folder)
    assert result.returncode == 0, result.stderr
    assert "0 added, 0 updated, 5 unchanged, 0 removed" in result.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout + result.stderr)


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
    result = pincite("build", given, "--index", index)
    assert result.returncode == 1
    assert "Could not be read: 1" in result.stderr
    assert "bad.txt" in result.stderr
    assert pincite("list", "--index", index).stdout.splitlines()[1].startswith("good.txt\t1\t19\tutf-8")

    with serving(given, "--index", index) as (_, address):
        assert httpx.get(f"{address}/ready").json()["collections"][0]["documents"] == 1

    (given / "good.txt").unlink()
    result = pincite("serve", given, "--index", index, "--port", "0")
    assert result.returncode == 1
    assert "no documents" in result.stderr


def test_a_build_tells_what_it_guessed_and_which_links_it_did_not_follow(index_folder: Path, tmp_path: Path) -> None:
    index, given = tmp_path / "index", tmp_path / "given"
    with_encoder(index, index_folder)
    given.mkdir()
    (given / "old.txt").write_bytes(("Das Café öffnet früh, sagt die Wärterin. " * 9).encode("cp1252"))
    (given / "link.txt").symlink_to(index_folder)
    result = pincite("build", given, "--index", index)
    assert result.returncode == 0, result.stderr
    assert re.search(r"Encoding guessed .*--encoding NAME.*: 1\n  old.txt: ", result.stderr)
    assert "not followed" in result.stderr
    assert "  link.txt\n" in result.stderr
    result = pincite("build", given, "--index", index, "--encoding", "windows-1252")
    assert "guessed" not in result.stderr
    assert pincite("list", "--index", index).stdout.splitlines()[1].split("\t")[3] == "cp1252"
    for name in ("klingon", "utf-7", "base64"):
        wrong = pincite("build", given, "--index", index, "--encoding", name)
        assert (wrong.returncode, "--encoding" in wrong.stderr) == (2, True)


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
        result = pincite("delete", "heron.txt", "owl.txt", "--index", index)
        assert (result.returncode, result.stdout) == (0, "Deleted: 2\n")
        assert not {"owl.txt", "heron.txt"} & set(sources())
        result = pincite("delete", "metals.md", "owl.txt", "--index", index)
        assert (result.returncode, result.stderr) == (1, "pincite: The document 'owl.txt' does not exist.\n")
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
        result = pincite(*arguments)
        assert result.returncode == 2, (arguments, result.stderr)
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
    result = pincite("serve", "--index", index_folder, env={"PINCITE_THREADS": "many"})
    assert (result.returncode, result.stderr) == (
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
        result = pincite(*arguments)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith(f"pincite: {said}")
        assert result.stderr.count("\n") == 1


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
        result = pincite("build", tmp_path / "heron.txt", "--index", index, "--collection", "birds")
        assert result.returncode == 0, result.stderr
        assert [each["source"] for each in httpx.get(listed, timeout=30).json()["documents"]] == ["heron.txt"]
        result = pincite("collections", "list", "--index", index)
        assert [line.split("\t")[:2] for line in result.stdout.splitlines()] == [
            ["birds", "1 documents"],
            ["default", "5 documents"],
        ]
        assert pincite("collections", "drop", "birds", "--index", index).returncode == 0
        assert httpx.get(listed).status_code == 404
        assert pincite("collections", "make", "birds", "--index", index).returncode == 0
        assert httpx.get(listed, timeout=30).json()["documents"] == []
        assert len(httpx.get(f"{address}/v1/documents").json()["documents"]) == 5
    for arguments in (("drop", "none"), ("drop", "default"), ("make", "birds"), ("make", "../x")):
        result = pincite("collections", *arguments, "--index", index)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1), result.stderr


def test_an_answer_is_printed_with_its_place(index_folder: Path) -> None:
    result = pincite("ask", "How much do dogs pay on the ferry?", "--index", index_folder, "--min-confidence", "0")
    assert result.returncode == 0
    assert "Dogs travel free." in result.stdout.replace("**", "")
    assert "harbour/ferry.txt, line 3, sentence 3 of 3, characters 69 to 86, bytes 69 to 86" in result.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout)


def test_no_answer_is_said_plainly_with_the_nearest_passages(index_folder: Path) -> None:
    result = pincite("ask", "How much do dogs pay on the ferry?", "--index", index_folder, "--min-confidence", "1")
    assert result.returncode == 0
    assert result.stdout.startswith("The documents do not seem to answer this.")
    assert "Nearest passages:" in result.stdout
    assert "harbour/ferry.txt, line" in result.stdout


def test_json_is_the_response_of_the_service(index_folder: Path) -> None:
    question = "Where is the pilot station?"
    result = pincite("ask", question, "--index", index_folder, "--json", "--max-answers", "3", "--passages", "0")
    printed = json.loads(result.stdout)
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
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout == "[]\n", process.stderr


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
        result = pincite("serve", "--index", index_folder, "--port", port)
    assert result.returncode == 1
    assert result.stderr == f"pincite: Cannot listen on 127.0.0.1, port {port}: address already in use.\n"


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
    process = subprocess.run(
        [script, "-qec", f"env COLUMNS=120 {command}", "/dev/null"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0
    assert "│ harbour/ferry.txt" in process.stdout
