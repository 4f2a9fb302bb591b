"""Keys: created, stored, found and revoked, in the file and by command."""

from __future__ import annotations

import hmac
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.errors import ServiceRefused
from eval.runs.target import OverHttp
from index.storage.layout import Layout
from pincite import run
from service.auth.keys import READ_ONLY, Keyring
from service.cli.keys import ending
from service.errors import KeyExpired, KeyNotFound, KeysUnusable, KeyUnknown
from service.schema import AskRequest
from tests.support.access import JSON, PAGE, PAST, SOON, bearer, opened
from tests.support.commands import ROOT, pincite, serving
from tests.support.evaluating import evaluate, small_set


def test_a_key_is_found_by_its_text_and_kept_as_a_hash(ring: Keyring) -> None:
    text, key = ring.make(["write", "ask"], collections=["other", "default", "other"], name="mine", expires=SOON)
    assert ring.find(text) == key
    assert (key.scopes, key.collections, key.name, key.expires) == (
        ("ask", "write"),
        ("default", "other"),
        "mine",
        SOON,
    )
    assert ring.path
    kept = ring.path.read_text()
    assert text not in kept
    assert text.split("_", 2)[2] not in kept
    assert key.hash in kept
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600


def test_no_two_keys_are_alike(ring: Keyring) -> None:
    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(lambda _: ring.make(["ask"])[0], range(40)))
    assert len(set(texts)) == 40
    assert {key.id for key in ring.listed()} == {text[8:24] for text in texts}


@given(st.text() | st.from_regex(r"pincite_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_what_is_no_key_is_never_one(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    ring = Keyring(tmp_path_factory.getbasetemp() / "ring" / "keys.json")
    if not ring.configured:
        ring.make(["admin"])
    with pytest.raises(KeyUnknown):
        ring.find(text)


@given(st.integers(0, 67), st.characters(codec="ascii"))
def test_a_key_with_another_character_is_none(tmp_path_factory: pytest.TempPathFactory, place: int, other: str) -> None:
    ring = Keyring(tmp_path_factory.getbasetemp() / "another" / "keys.json")
    text, key = ring.make(["admin"])
    changed = text[:place] + other + text[place + 1 :]
    if changed == text:
        assert ring.find(changed) == key
    else:
        with pytest.raises(KeyUnknown):
            ring.find(changed)
    ring.revoke(key.id)


def test_secrets_are_compared_in_constant_time(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    text, key = ring.make(["ask"])
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return len(compared) == 1

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert ring.find(text[:-1] + "x") == key  # so that nothing else decides
    with pytest.raises(KeyUnknown):
        ring.find(text)
    assert all(len(one) == len(other) == 64 for one, other in compared)


def test_an_expired_key_is_told_so_and_an_expired_token_is_forgotten(ring: Keyring) -> None:
    text, _ = ring.make(["ask"], expires=PAST)
    token, kept = ring.make(READ_ONLY, origin=PAGE, expires=PAST)
    for each in (text, token):
        with pytest.raises(KeyExpired):
            ring.find(each)
    assert not ring.has_page(PAGE)
    ring.make(["ask"])
    assert kept.id not in [key.id for key in ring.listed()]
    with pytest.raises(KeyExpired):
        ring.find(text)
    with pytest.raises(KeyUnknown):
        ring.find(token)


def test_what_another_process_does_holds_at_once(index: Path, ring: Keyring) -> None:
    made = pincite("keys", "make", "--index", index)
    key = made.stdout.strip()
    assert ring.find(key).scopes == ("ask", "read")
    assert pincite("keys", "revoke", key[8:24], "--index", index).returncode == 0
    with pytest.raises(KeyUnknown):
        ring.find(key)


def test_keys_made_and_revoked_by_many_processes_are_all_there(index: Path, ring: Keyring) -> None:
    script = f"""
from pathlib import Path
from service.auth.keys import Keyring
ring = Keyring(Path({str(Layout(index).keys)!r}))
made = [ring.make(["ask"])[1].id for _ in range(20)]
for number in made[::2]:
    ring.revoke(number)
"""
    command = [sys.executable, "-c", script]
    with ThreadPoolExecutor(4) as threads:
        for result in threads.map(
            lambda _: subprocess.run(command, cwd=ROOT, check=False, capture_output=True), range(4)
        ):
            assert result.returncode == 0, result.stderr
    assert len(ring.listed()) == 40


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":2,"keys":[]}', b'{"format":1,"keys":[{}]}', b"\xff"])
def test_damaged_keys_let_nobody_in_and_are_not_written_over(index: Path, ring: Keyring, content: bytes) -> None:
    text, _ = ring.make(["admin"])
    with opened(index, allow_anonymous=True) as client:
        assert client.get("/v1/documents", headers=bearer(text)).status_code == 200
        Layout(index).keys.write_bytes(content)
        response = client.get("/v1/documents", headers=bearer(text))
        assert (response.status_code, response.json()["type"]) == (503, "urn:pincite:problem:keys-unusable")
        assert str(index) not in response.text
        assert client.get("/v1/documents").status_code == 503
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
    with pytest.raises(KeysUnusable):
        ring.make(["ask"])
    assert Layout(index).keys.read_bytes() == content
    served = pincite("serve", "--index", index, "--port", "0")
    assert (served.returncode, served.stderr.count("\n")) == (1, 1), served.stderr


def test_keys_are_made_listed_and_revoked_by_command(index: Path, ring: Keyring) -> None:
    options = ("--scope", "ask", "--scope", "write", "--collection", "other", "--expires", "2h", "--name", "a\x1b[2J")
    made = pincite("keys", "make", *options, "--index", index)
    assert made.returncode == 0
    key = made.stdout.strip()
    assert re.fullmatch(r"pincite_[0-9a-f]{16}_[\w-]{43}", key)
    assert key not in made.stderr
    token = pincite("keys", "embed", "--origin", "https://Page.example/", "--index", index).stdout.strip()
    listed = pincite("keys", "list", "--index", index)
    names, first, second = (line.split("\t") for line in listed.stdout.splitlines())
    assert names == ["id", "name", "scopes", "collections", "origin", "made", "expires"]
    assert first[:5] == [key[8:24], "a�[2J", "ask, write", "other", ""]
    assert second[:5] == [token[8:24], "", "ask, read", "all", PAGE]
    assert key not in listed.stdout
    assert ring.find(token).expires
    assert pincite("keys", "revoke", key[8:24], token[8:24], "--index", index).returncode == 0
    assert ring.listed() == []
    result = pincite("keys", "revoke", key[8:24], "--index", index)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    with pytest.raises(KeyNotFound):
        ring.revoke("x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("make", "--scope", "all"),
        ("make", "--collection", "../other"),
        ("make", "--expires", "soon"),
        ("make", "--expires", "2020-01-01"),
        ("make", "--expires", "0s"),
        ("make", "--expires", "99999999w"),
        ("embed",),
        ("embed", "--origin", "*"),
        ("embed", "--origin", "https://a.b/c"),
        ("embed", "--origin", "https://a.b", "--expires", "8d"),
        ("embed", "--origin", "https://a.b", "--scope", "write"),
    ],
)
def test_a_key_that_cannot_be_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(["keys", *arguments, "--index", str(tmp_path / "index")]) == 2
    assert not (tmp_path / "index").exists()


def test_a_time_to_end_is_read_from_now_or_as_a_date() -> None:
    assert abs(ending("90m") - datetime.now(UTC) - timedelta(minutes=90)) < timedelta(minutes=1)
    assert ending("2100-01-31") == datetime(2100, 1, 31, tzinfo=UTC)
    assert ending("2100-01-31T12:00:00+02:00") == datetime(2100, 1, 31, 10, tzinfo=UTC)


def test_another_address_can_be_served_once_there_is_a_key(index: Path) -> None:
    assert "there are no keys" in pincite("serve", "--index", index, "--host", "0.0.0.0").stderr  # noqa: S104
    key = pincite("keys", "make", "--index", index).stdout.strip()
    with serving("--index", index, "--host", "0.0.0.0") as (process, address):  # noqa: S104
        http = OverHttp(address.replace("0.0.0.0", "127.0.0.1"), key=key)  # noqa: S104
        assert http.ask(AskRequest(question="When does the ferry leave?")).answers
        http.close()
        process.terminate()
        assert process.stdout
        assert process.stdout.read() == "Every call needs a key.\n"


def test_an_evaluation_over_http_takes_a_key(index: Path, documents: Path, tmp_path: Path) -> None:
    dataset = small_set(tmp_path / "small", documents)
    key = pincite("keys", "make", "--index", index).stdout.strip()
    other = pincite("keys", "make", "--index", index, "--collection", "other").stdout.strip()
    with serving("--index", index) as (_, address):
        command = ("eval", tmp_path / "small", "--url", address, "--out", tmp_path / "refused")
        assert "--key" in pincite(*command).stderr
        assert "Existing collections: other." in pincite(*command, env={"PINCITE_KEY": other}).stderr
        target = OverHttp(address, key=key)
        assert evaluate(dataset, target, tmp_path / "run")
        target.close()
        target = OverHttp(address, key=key[:-1])
        with pytest.raises(ServiceRefused):
            target.ask(AskRequest(question="When does the ferry leave?"))
        target.close()
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_logs_hold_no_key_and_nothing_of_a_question(index: Path, tmp_path: Path) -> None:
    """The service answers, rejects and fails; its logs contain nothing of the requests."""
    key = pincite("keys", "make", "--index", index, "--scope", "admin").stdout.strip()
    token = pincite("keys", "embed", "--index", index, "--origin", PAGE).stdout.strip()
    secrets = [key, token, key[25:], token[25:], "ferocious", "whelk", "tangerine"]
    with serving("--index", index, "--rate-limit", "20/minute") as (process, address):
        with httpx.Client(base_url=address, timeout=60) as http:
            asked = {"question": "Why is the ferocious walrus ill?"}
            good, bad = bearer(key), bearer(key[:-1] + "~")
            answers = [
                http.post("/v1/ask", json=asked, headers=good),
                http.post("/v1/ask", json=asked, headers=bearer(token) | {"Origin": PAGE}),
                http.post("/v1/ask", json=asked, headers=bearer(token)),
                http.post("/v1/ask", json=asked, headers=bad),
                http.post("/v1/ask", content=b'{"question": "ferocious whelk', headers=good | JSON),
                http.post("/v1/ask", json=asked | {"ferocious": "whelk"}, headers=good),
                http.post("/v1/ask/batch", json={"questions": ["ferocious?", 3, "whelk?"]}, headers=good),
                http.post("/v1/search", json={"query": "tangerine"}, headers=good),
                http.get(f"/v1/documents?key={key}"),
                http.get(f"/tangerine/{token}"),
            ]
            assert [answer.status_code for answer in answers] == [200, 200, 403, 401, 400, 400, 200, 200, 401, 404]
            (index / "collections/default/store.sqlite").write_bytes(b"whatever")
            failed = http.post("/v1/ask", json=asked, headers=good)
            Layout(index).keys.write_text("damaged")
            assert http.post("/v1/ask", json=asked, headers=good).status_code == 503
        process.terminate()
        said = "".join(process.communicate(timeout=30))
    assert failed.status_code in (200, 500, 503)
    assert "keys.json" in said
    assert [secret for secret in secrets if secret in said] == []
