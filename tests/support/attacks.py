"""Attacks on keys, tokens, scopes, collections, paths and origins, each a raw HTTP request.

docs/security.md lists them in a table, which `python -m tests.support.documentation` writes. `test_attacks` sends each.

In a request, `{asker}` is the full key of that name, `{asker.id}`, `{asker.secret}` and `{asker.hash}` are its parts,
and `{port}` is the service's port. The keys are for the collection `mine`; only `owner` may read `theirs`.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- attacks -->\n", "<!-- /attacks -->\n"

PAGE = "https://page.example"
LISTED = "https://listed.example"
SECRET = "theirs.txt"  # noqa: S105  # a document
CANARY = "marmalade"  # a word that occurs only in `theirs`
TEXT = f"The password of the lighthouse is {CANARY}.\n"

BARE = ""  # the HTTP server rejects the request itself, without a problem
NONE = "none"  # a response that is not a problem


Headers = tuple[tuple[str, str], ...]
Answers = tuple[tuple[int, str], ...]


class Attack(NamedTuple):
    """`answers`: the allowed problem statuses and types; the test fails on any other."""

    area: str
    what: str
    method: str
    path: str
    headers: Headers
    body: bytes
    answers: Answers
    keyed: bool = True  # whether keys exist


ATTACKS: list[Attack] = []

FOR = {"asker": "asking", "reader": "reading", "writer": "writing"}
ASK: dict[str, object] = {"question": "What is the password of the lighthouse?", "min_confidence": 0, "passages": 9}
CITED = {
    "source": SECRET,
    "sha256": sha256(TEXT.encode()).hexdigest(),
    "range": {"codepoint": [0, len(TEXT) - 1]},
    "quote": {"exact": TEXT.strip()},
}
JSON = ("Content-Type", "application/json")
HOST = ("Host", "127.0.0.1:{port}")
UNKNOWN = ((401, "key-unknown"),)
FORBIDDEN = ((403, "collection-forbidden"),)
SCOPE = ((403, "scope-missing"),)
ORIGIN = ((403, "origin-forbidden"),)
NOT_FOUND = ((404, "unknown-path"),)
BAD = ((400, BARE), (404, "unknown-path"))
ALL_IS_WELL = ((200, NONE),)


def bearer(key: str) -> Headers:
    return (("Authorization", f"Bearer {{{key}}}"),)


def attack(
    area: str,
    what: str,
    request: str,
    answers: Answers,
    *,
    headers: Headers = (),
    body: bytes | dict[str, object] = b"",
    host: Headers = (HOST,),
    keyed: bool = True,
) -> None:
    method, _, path = request.partition(" ")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = (*host, *((JSON,) if content and method == "POST" else ()), *headers)
    ATTACKS.append(Attack(area, what, method, path, sent, content, answers, keyed))


def question(**fields: object) -> dict[str, object]:
    return ASK | fields


# fmt: off
# ---- Keys

AUTHORIZATIONS = {
    "a word that is no key": "Bearer nonsense",
    "an empty key": "Bearer ",
    "the scheme alone": "Bearer",
    "a key without its last character": "Bearer {asker.cut}",
    "a key with a character added": "Bearer {asker}A",
    "a key with one character of the secret changed": "Bearer {asker.changed}",
    "a key in capitals": "Bearer {asker.capitals}",
    "the id of one key with the secret of another": "Bearer pincite_{asker.id}_{reader.secret}",
    "the id alone": "Bearer {asker.id}",
    "the hash that the index keeps, as if it were a secret": "Bearer pincite_{asker.id}_{asker.hash}",
    "a key that has expired": "Bearer {expired}",
    "a key that was revoked": "Bearer {revoked}",
    "a key of another index": "Bearer {foreign}",
    "a key without the scheme": "{asker}",
    "a key as a password of the Basic scheme": "Basic {asker.basic}",
    "two keys in one header": "Bearer {asker}, Bearer {owner}",
    "a JSON web token without a signature (`alg: none`)": "Bearer eyJhbGciOiJub25lIn0.eyJzY29wZXMiOlsiYWRtaW4iXX0.",
    "a key that begins as SQL": "Bearer pincite_' OR 1=1 --_x",
    "a path instead of the id": "Bearer pincite_../../keys.jso_{asker.secret}",
    "a very long key": "Bearer pincite_" + "a" * 6000,
    "a key in look-alikes of ASCII": "Bearer ｐｉｎｃｉｔｅ_{asker.id}_{asker.secret}",
}
for _what, _given in AUTHORIZATIONS.items():
    _answers: Answers = ((401, "key-expired"),) if "has expired" in _what else UNKNOWN
    attack("keys", _what, "GET /v1/documents?collection=mine", _answers, headers=(("Authorization", _given),))

MISSING = ((401, "key-missing"),)
attack("keys", "no key", "POST /v1/ask", MISSING, body=question(collection="theirs"))
attack("keys", "no key, for reading", "GET /v1/documents", MISSING)
attack("keys", "no key, for writing", "PUT /v1/documents/x.txt?collection=mine", MISSING, body=b"x")
attack("keys", "no key, for the list of collections", "GET /v1/collections", MISSING)
attack("keys", "no key, with HEAD", f"HEAD /v1/files/{SECRET}?collection=theirs", MISSING)
attack("keys", "a key in the query", "GET /v1/documents?collection=mine&key={reader}", MISSING)
attack("keys", "a key in the query, as OAuth once did", "GET /v1/documents?access_token={reader}", MISSING)
for _name in ("X-API-Key", "Cookie", "Proxy-Authorization", "X-Authorization", "Authorization_"):
    attack("keys", f"a key in the header {_name}", "GET /v1/documents", MISSING, headers=((_name, "{reader}"),))
attack("keys", "two Authorization headers, the first good", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(*bearer("reader"), ("Authorization", "Bearer x")))
attack("keys", "two Authorization headers, the second good", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(("Authorization", "Bearer x"), *bearer("reader")))
attack("keys", "the same key twice", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(*bearer("reader"), *bearer("reader")))
attack("keys", "NUL after a key", "GET /v1/documents?collection=mine", ((400, BARE), *UNKNOWN),
       headers=(("Authorization", "Bearer {reader}\0"),))
attack("keys", "no attack: the scheme in small letters is the same", "GET /v1/documents?collection=mine", ALL_IS_WELL,
       headers=(("Authorization", "bearer {reader}"),))

# ---- Tokens of pages

ORIGINS = {
    "another origin": "https://evil.example",
    "an origin that begins with that of the token": f"{PAGE}.evil.example",
    "an origin that ends with that of the token": "https://evil-page.example",
    "a part of the site of the token": "https://sub.page.example",
    "the same host without TLS": "http://page.example",
    "the same host on another port": f"{PAGE}:8443",
    "the same origin, its usual port spelt out": f"{PAGE}:443",
    "the same origin with a path": f"{PAGE}/",
    "the same origin in capitals": "HTTPS://PAGE.EXAMPLE",
    "an origin with the token's as user name": f"{PAGE}@evil.example",
    "the origin null": "null",
    "an empty Origin header": "",
    "two origins in one header": f"{PAGE} https://evil.example",
    "an origin that is listed, and not that of the token": LISTED,
}
for _what, _origin in ORIGINS.items():
    attack("tokens", f"a token from {_what}", "POST /v1/ask", ORIGIN, headers=(*bearer("page"), ("Origin", _origin)),
           body=question(collection="mine"))
attack("tokens", "a token without an origin", "POST /v1/ask", ORIGIN, headers=bearer("page"),
       body=question(collection="mine"))
attack("tokens", "a token with two Origin headers, one good", "POST /v1/ask", ORIGIN,
       headers=(*bearer("page"), ("Origin", PAGE), ("Origin", "https://evil.example")),
       body=question(collection="mine"))
attack("tokens", "a token with the good origin in Referer alone", "POST /v1/ask", ORIGIN,
       headers=(*bearer("page"), ("Referer", f"{PAGE}/")), body=question(collection="mine"))
FROM_PAGE = (("Origin", PAGE),)
PAGED = (*bearer("page"), *FROM_PAGE)
attack("tokens", "a token with one character changed", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(("Authorization", "Bearer {page.changed}"), *FROM_PAGE))
attack("tokens", "a token that has expired", "GET /v1/documents?collection=mine", ((401, "key-expired"),),
       headers=(*bearer("page_expired"), *FROM_PAGE))
attack("tokens", "a token that was revoked", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(*bearer("page_revoked"), *FROM_PAGE))
attack("tokens", "a token of a page of another index", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(*bearer("page_foreign"), *FROM_PAGE))
attack("tokens", "a JSON web token that names the origin (`alg: none`)", "GET /v1/documents?collection=mine", UNKNOWN,
       headers=(("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJvcmlnaW4iOiJodHRwczovL3BhZ2UuZXhhbXBsZSJ9."),
                *FROM_PAGE))
attack("tokens", "PUT with a token", "PUT /v1/documents/x.txt?collection=mine", SCOPE, headers=PAGED, body=b"x")
attack("tokens", "DELETE with a token", "DELETE /v1/documents/metals.md?collection=mine", SCOPE, headers=PAGED)
attack("tokens", "a collection made with a token", "PUT /v1/collections/new", SCOPE, headers=PAGED)
attack("tokens", "another collection asked with a token", "POST /v1/ask", FORBIDDEN, headers=PAGED,
       body=question(collection="theirs"))
attack("tokens", "another collection read with a token", f"GET /v1/files/{SECRET}?collection=theirs", FORBIDDEN,
       headers=PAGED)
attack("tokens", "no attack: a token from its own page", "POST /v1/ask", ALL_IS_WELL, headers=PAGED,
       body=question(collection="mine"))

# ---- Scopes

for _path in ("documents", "documents/metals.md", "files/metals.md", "texts/metals.md"):
    attack("scopes", f"`{_path}` read with a key for asking", f"GET /v1/{_path}?collection=mine", SCOPE,
           headers=bearer("asker"))
BODIES: dict[str, dict[str, object]] = {
    "ask": {"question": "x"},
    "search": {"query": "x"},
    "context": {"question": "x", "max_tokens": 9},
    "ask/batch": {"questions": ["x"]},
}
for _path, _body in BODIES.items():
    for _key in ("reader", "writer"):
        attack("scopes", f"`{_path}` with a key for {FOR[_key]}", f"POST /v1/{_path}", SCOPE,
               headers=bearer(_key), body={**_body, "collection": "mine"})
attack("scopes", "verifying citations with a key for asking", "POST /v1/citations/verify", SCOPE,
       headers=bearer("asker"), body={"citations": [CITED], "collection": "mine"})
attack("scopes", "HEAD of a file with a key for asking", "HEAD /v1/files/metals.md?collection=mine", SCOPE,
       headers=bearer("asker"))
for _key in ("asker", "reader"):
    attack("scopes", f"PUT with a key for {FOR[_key]}", "PUT /v1/documents/x.txt?collection=mine", SCOPE,
           headers=bearer(_key), body=b"x")
    attack("scopes", f"DELETE with a key for {FOR[_key]}", "DELETE /v1/documents/metals.md?collection=mine", SCOPE,
           headers=bearer(_key))
attack("scopes", "reading with a key for writing", "GET /v1/files/metals.md?collection=mine", SCOPE,
       headers=bearer("writer"))
attack("scopes", "a collection made with a key for writing", "PUT /v1/collections/mine", SCOPE,
       headers=bearer("writer"))
attack("scopes", "a collection dropped with a key for writing", "DELETE /v1/collections/mine", SCOPE,
       headers=bearer("writer"))
for _header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
    attack("scopes", f"GET that asks to be DELETE ({_header})", "GET /v1/documents/metals.md?collection=mine",
           ALL_IS_WELL, headers=(*bearer("reader"), (_header, "DELETE")))
attack("scopes", "GET that asks to be DELETE in the query",
       "GET /v1/documents/metals.md?collection=mine&_method=DELETE", ((400, "bad-parameter"),),
       headers=bearer("reader"))
attack("scopes", "POST that asks to be PUT", "POST /v1/documents/x.txt?collection=mine", ((405, "wrong-method"),),
       headers=(*bearer("reader"), ("X-HTTP-Method-Override", "PUT")), body=b"x")
attack("scopes", "OPTIONS of a file, without a key: methods alone", f"OPTIONS /v1/files/{SECRET}?collection=theirs",
       ((204, NONE),))
for _method in ("TRACE", "CONNECT", "PATCH", "get", "BREW"):
    attack("scopes", f"the method {_method}", f"{_method} /v1/documents?collection=mine",
           ((400, BARE), (405, "wrong-method"), (404, "unknown-path"), (405, BARE)))

# ---- Collections

ELSEWHERE = {
    "another collection": "theirs",
    "one that does not exist": "nobodys",
    "the default one": "default",
    "a path that leads to another": "../theirs",
    "a path through one's own": "mine/../theirs",
    "one's own with a path behind": "mine/../../collections/theirs",
    "an absolute path": "/theirs",
    "another in capitals": "THEIRS",
    "one's own in capitals": "Mine",
    "one's own and NUL": "mine\0",
    "one's own and a space": "mine ",
    "one's own and a line feed": "mine\n",
    "one's own and another": "mine,theirs",
    "one's own with a look-alike of i": "m\u0456ne",
    "another in full-width letters": "\uff54heirs",
    "an asterisk": "*",
    "nothing": "",
}
for _what, _name in ELSEWHERE.items():
    attack("collections", f"{_what}, named in the body", "POST /v1/ask",
           ((422, "nul-character"),) if "\0" in _name else FORBIDDEN, headers=bearer("asker"),
           body=question(collection=_name))
    attack("collections", f"{_what}, named in the query", f"GET /v1/files/{SECRET}?collection={quote(_name, safe='')}",
           FORBIDDEN, headers=bearer("reader"))
for _method, _path, _key in (
    ("GET", "documents?collection=theirs", "reader"),
    ("GET", f"documents/{SECRET}?collection=theirs", "reader"),
    ("GET", f"texts/{SECRET}?collection=theirs", "reader"),
    ("GET", f"pages/{SECRET}?collection=theirs", "reader"),
    ("GET", "documents/metals.md", "reader"),
    ("GET", "collections/theirs", "reader"),
    ("GET", "collections/nobodys", "reader"),
    ("PUT", f"documents/{SECRET}?collection=theirs", "writer"),
    ("PUT", "documents/x.txt", "writer"),
    ("DELETE", f"documents/{SECRET}?collection=theirs", "writer"),
    ("PUT", "collections/theirs", "keeper"),
    ("PUT", "collections/new", "keeper"),
    ("DELETE", "collections/theirs", "keeper"),
    ("DELETE", "collections/default", "keeper"),
):
    attack("collections", f"`{_method} {_path}` with a key for `mine`", f"{_method} /v1/{_path}", FORBIDDEN,
           headers=bearer(_key), body=b"x" if _method == "PUT" and "documents" in _path else b"")
attack("collections", "HEAD of another's file", f"HEAD /v1/files/{SECRET}?collection=theirs", FORBIDDEN,
       headers=bearer("reader"))
attack("collections", "no collection named, so the default one", "POST /v1/ask", FORBIDDEN, headers=bearer("asker"),
       body=question())
attack("collections", "searching another", "POST /v1/search", FORBIDDEN, headers=bearer("asker"),
       body={"query": "password", "collection": "theirs"})
attack("collections", "a context from another", "POST /v1/context", FORBIDDEN, headers=bearer("asker"),
       body={"question": "password", "max_tokens": 1000, "collection": "theirs"})
attack("collections", "verifying citations in another", "POST /v1/citations/verify", FORBIDDEN,
       headers=bearer("reader"), body={"citations": [CITED], "collection": "theirs"})
attack("collections", "verifying a citation of another's document in one's own", "POST /v1/citations/verify",
       ALL_IS_WELL, headers=bearer("reader"), body={"citations": [CITED], "collection": "mine"})
attack("collections", "a batch for another", "POST /v1/ask/batch", FORBIDDEN, headers=bearer("asker"),
       body={"questions": ["What is the password?"], "collection": "theirs"})
attack("collections", "a batch whose question names another", "POST /v1/ask/batch", ((200, "bad-field"),),
       headers=bearer("asker"), body={"questions": [question(collection="theirs")], "collection": "mine"})
attack("collections", "one's own in the query, another in the body", "POST /v1/ask?collection=mine",
       ((400, "bad-parameter"),), headers=bearer("asker"), body=question(collection="theirs"))
for _order in ("collection=mine&collection=theirs", "collection=theirs&collection=mine"):
    attack("collections", f"two in the query: `{_order}`", f"GET /v1/files/{SECRET}?{_order}",
           ((400, "bad-parameter"),), headers=bearer("reader"))
attack("collections", "the name of the parameter percent-encoded, and again",
       f"GET /v1/files/{SECRET}?%63ollection=theirs&collection=mine", ((400, "bad-parameter"),),
       headers=bearer("reader"))
attack("collections", "the parameter in capitals", f"GET /v1/files/{SECRET}?Collection=theirs&collection=mine",
       ((400, "bad-parameter"),), headers=bearer("reader"))
attack("collections", "parameters divided by a semicolon", f"GET /v1/files/{SECRET}?collection=mine;collection=theirs",
       FORBIDDEN, headers=bearer("reader"))
for _first, _second in (("mine", "theirs"), ("theirs", "mine")):
    _twice = f'{{"question": "password?", "collection": "{_first}", "collection": "{_second}"}}'.encode()
    attack("collections", f"two in the body: first `{_first}`", "POST /v1/ask", ((400, "repeated-field"),),
           headers=bearer("asker"), body=_twice)
attack("collections", "the field's name escaped, and again", "POST /v1/ask", ((400, "repeated-field"),),
       headers=bearer("asker"),
       body=rb'{"question": "password?", "collection": "mine", "\u0063ollection": "theirs"}')
for _value in (["mine", "theirs"], {"name": "theirs"}, None, 0):
    attack("collections", f"`{json.dumps(_value)}` for a name", "POST /v1/ask", ((400, "bad-field"),),
           headers=bearer("asker"), body=question(collection=_value))
for _glob in ("**", "../theirs/**", "/**", "../../**", "theirs/**", f"**/{SECRET}"):
    attack("collections", f"the pattern `{_glob}` in one's own", "POST /v1/ask", ALL_IS_WELL, headers=bearer("asker"),
           body=question(collection="mine", sources=[_glob]))
attack("collections", "another's document by its hash",
       f"GET /v1/files/{SECRET}?collection=mine&sha256={{secret_hash}}", ((410, "version-gone"),),
       headers=bearer("reader"))
attack("collections", "another's document by its hash, under a name of one's own",
       "GET /v1/files/metals.md?collection=mine&sha256={secret_hash}", ((410, "version-gone"),),
       headers=bearer("reader"))
attack("collections", "another's document by its name in one's own", f"GET /v1/files/{SECRET}?collection=mine",
       ((404, "unknown-document"),), headers=bearer("reader"))
attack("collections", "whether another's document exists", f"GET /v1/files/{SECRET}?collection=theirs", FORBIDDEN,
       headers=(*bearer("reader"), ("If-None-Match", '"{secret_hash}"')))
attack("collections", "a write that depends on another's document", f"PUT /v1/documents/{SECRET}?collection=theirs",
       FORBIDDEN, headers=(*bearer("writer"), ("If-Match", '"{secret_hash}"')), body=b"x")
attack("collections", "the list of collections: one's own alone", "GET /v1/collections", ALL_IS_WELL,
       headers=bearer("reader"))
attack("collections", "`/ready` without a key: no names of collections", "GET /ready", ALL_IS_WELL)
attack("collections", "`/ready` with a key: one's own alone", "GET /ready", ALL_IS_WELL, headers=bearer("reader"))

# ---- Paths

SLASHES = {"fraction slash": "\u2044", "division slash": "\u2215", "full-width": "\uff0f", "big solidus": "\u29f8"}
PATHS = {
    "two leading slashes": ("//v1/documents", MISSING),
    "two slashes inside": ("/v1//documents", MISSING),
    "a trailing slash": ("/v1/documents/", (*MISSING, *NOT_FOUND)),
    "letters percent-encoded": ("/%76%31/documents", MISSING),
    "capitals": ("/V1/documents", NOT_FOUND),
    "dots within": ("/v1/../v1/documents", BAD),
    "a dot inside": ("/v1/./documents", BAD),
    "dots percent-encoded": ("/v1/%2e%2e/v1/documents", BAD),
    "dots after an open path": ("/health/../v1/documents", BAD),
    "dots after the documentation": ("/schema/../v1/documents", BAD),
    "dots after its files": ("/schema/assets/../../v1/documents", BAD),
    "slashes percent-encoded": ("/v1%2fdocuments", (*MISSING, *BAD)),
    "all slashes percent-encoded": ("%2fv1%2fdocuments", (*MISSING, *BAD)),
    "slashes percent-encoded twice": ("/v1%252fdocuments", BAD),
    "backslashes": ("\\v1\\documents", BAD),
    "a backslash": ("/v1\\documents", BAD),
    "a parameter of the path": ("/v1/documents;collection=mine", BAD),
    "NUL behind": ("/v1/documents%00", BAD),
    "an open path and NUL": ("/health%00/../v1/documents", BAD),
    "over-long UTF-8": ("/v1%c0%afdocuments", BAD),
    "an absolute address": ("http://127.0.0.1:{port}/v1/documents", (*MISSING, *BAD)),
    "an absolute address of another host": ("http://localhost/v1/documents", (*MISSING, *BAD)),
    "a fragment": ("/v1/documents#/health", (*MISSING, *BAD)),
    "an open path in the query": ("/v1/documents?/health", MISSING),
    **{
        f"a {name} instead of a slash": (f"/v1{quote(sign)}documents", BAD) for name, sign in SLASHES.items()
    },
}
for _what, (_path, _answers) in PATHS.items():
    attack("paths", f"around the key: {_what}", f"GET {_path}", _answers)
    if _what in ("two leading slashes", "letters percent-encoded"):
        attack("paths", f"around the collection: {_what}", f"GET {_path}?collection=theirs", FORBIDDEN,
               headers=bearer("reader"))
for _header in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"):
    attack("paths", f"an open path with {_header}", "GET /health", ALL_IS_WELL, headers=((_header, "/v1/documents"),))

OUTSIDE = {
    "dots": "../../../keys.json",
    "dots, slashes percent-encoded": "..%2f..%2f..%2fkeys.json",
    "all percent-encoded": "%2e%2e%2f%2e%2e%2f%2e%2e%2fkeys.json",
    "percent-encoded twice": "%252e%252e%252fkeys.json",
    "to another collection": "..%2ftheirs%2ftheirs.txt",
    "within one's own": "a/../../theirs/theirs.txt",
    "an absolute path": "%2fetc%2fpasswd",
    "backslashes": "..%5c..%5ckeys.json",
    "NUL": "metals.md%00.txt",
    "look-alikes of slashes": quote("..\uff0f..\u2215keys.json"),
    "over-long UTF-8": "..%c0%af..%c0%afkeys.json",
    "the store itself": "..%2fmine%2fstore.sqlite",
}
for _what, _path in OUTSIDE.items():
    _not_there = ((400, "bad-path"), (400, BARE), (404, "unknown-document"), (404, "unknown-path"))
    for _noun in ("files", "texts"):
        attack("paths", f"out of the collection, by {_what} (`{_noun}`)", f"GET /v1/{_noun}/{_path}?collection=mine",
               _not_there, headers=bearer("reader"))
    attack("paths", f"out of the collection, by {_what}, deleting", f"DELETE /v1/documents/{_path}?collection=mine",
           _not_there, headers=bearer("writer"))
    if "look-alikes" not in _what and "twice" not in _what:  # which are ordinary names
        attack("paths", f"out of the collection, by {_what}, writing", f"PUT /v1/documents/{_path}?collection=mine",
               ((422, "bad-source"), *_not_there), headers=bearer("writer"), body=b"x")
for _file in ("/schema/assets/..%2f..%2f..%2f..%2fetc%2fpasswd", "/schema/page/..%2f..%2f..%2fkeys.py", "/keys.json"):
    attack("paths", f"a file beside the documentation: `{_file}`", f"GET {_file}", BAD)

# ---- Origins and hosts

PREFLIGHT = (("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization"))
UNLISTED = ((403, "origin-not-listed"),)
for _what, _origin in {
    "is not listed": "https://evil.example",
    "is null": "null",
    "begins with a listed one": f"{LISTED}.evil.example",
    "has a listed one as user name": f"{LISTED}@evil.example",
    "is a listed one on another port": f"{LISTED}:8443",
    "is a listed one without TLS": LISTED.replace("https", "http"),
    "fits a listed one as a pattern": "https://listedXexample",
    "is that of a token that has expired": "https://over.example",
    "is that of a token that was revoked": "https://gone.example",
}.items():
    attack("origins", f"a preflight whose origin {_what}", "OPTIONS /v1/ask", UNLISTED,
           headers=(("Origin", _origin), *PREFLIGHT))
attack("origins", "a preflight for an unknown path from an unlisted origin", "OPTIONS /v1/nothing",
       UNLISTED, headers=(("Origin", "https://evil.example"), *PREFLIGHT))
attack("origins", "a preflight instead of the request, from a listed origin", "OPTIONS /v1/documents", ((204, NONE),),
       headers=(("Origin", LISTED), *PREFLIGHT, *bearer("reader")))
attack("origins", "a request from a listed origin, without a key", "GET /v1/documents", MISSING,
       headers=(("Origin", LISTED),))
for _header in ("Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Real-IP", "Forwarded"):
    _local = "for=127.0.0.1;host=localhost" if _header == "Forwarded" else "localhost"
    attack("origins", f"{_header} that names this machine, instead of a key", "GET /v1/documents", MISSING,
           host=() if _header == "Host" else (HOST,), headers=((_header, _local),))

FOREIGN_HOST = ((403, "foreign-host"),)
for _host in (
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "evil.example:{port}",
    "0.0.0.0",  # noqa: S104
    "[::ffff:8.8.8.8]", "2130706433", "0x7f000001", "localhost,evil.example",
):
    attack("origins", f"no keys: the Host `{_host.replace(':{port}', ':8000')}` (DNS rebinding)", "GET /v1/documents",
           (*FOREIGN_HOST, (400, "bad-header"), (400, BARE)), host=(("Host", _host),), keyed=False)
attack("origins", "no keys: two Host headers", "GET /v1/documents", (*FOREIGN_HOST, (400, BARE)),
       host=(HOST, ("Host", "evil.example")), keyed=False)
attack("origins", "no keys: a good X-Forwarded-Host beside a foreign Host", "GET /v1/documents", FOREIGN_HOST,
       host=(("Host", "evil.example"), ("X-Forwarded-Host", "127.0.0.1")), keyed=False)
for _origin in (
    "https://evil.example", "null", "http://127.0.0.1@evil.example", "http://localhost.evil.example",
    "http://localhost:8000.evil.example", "file://", "localhost", "http://127.0.0.1:8000/..", "",
    "https://localhost https://evil.example",
):
    attack("origins", f"no keys: a page of `{_origin}`", "POST /v1/ask", ((403, "foreign-origin"),),
           headers=(("Origin", _origin),), body=question(), keyed=False)
attack("origins", "no keys: a page of this machine and one of another", "GET /v1/documents", ((403, "foreign-origin"),),
       headers=(("Origin", "http://localhost"), ("Origin", "https://evil.example")), keyed=False)
attack("origins", "no keys: a preflight of another site", "OPTIONS /v1/ask", ((403, "foreign-origin"),),
       headers=(("Origin", "https://evil.example"), *PREFLIGHT), keyed=False)
attack("origins", "no keys: a preflight of another page of this machine", "OPTIONS /v1/ask", UNLISTED,
       headers=(("Origin", "http://localhost:5173"), *PREFLIGHT), keyed=False)
# fmt: on


def table() -> str:
    """The table for docs/security.md."""
    rows = [
        f"| {each.area} | {each.what.replace('|', '/')} | {' or '.join(dict.fromkeys(map(shown, each.answers)))} |"
        for each in ATTACKS
    ]
    return "\n".join(["| on | attack | answer |", "|---|---|---|", *rows, ""])


def shown(answer: tuple[int, str]) -> str:
    status, name = answer
    return str(status) if name in (BARE, NONE) else f"{status} `{name}`"


def written(document: str) -> str:
    """The document with the table as it is now."""
    return re.sub(f"(?s)(?<={BEGIN}).*(?={END})", lambda _: table(), document)


if __name__ == "__main__":
    SECURITY.write_text(written(SECURITY.read_text("utf-8")), encoding="utf-8")
