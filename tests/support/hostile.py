"""Hostile requests as bytes, each with the expected response."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

CRLF = b"\r\n"
JSON = b"Content-Type: application/json"
HOST = b"Host: localhost"
ASK, BATCH, SEARCH, CONTEXT = b"/v1/ask", b"/v1/ask/batch", b"/v1/search", b"/v1/context"
VERIFY = b"/v1/citations/verify"
COLLECTION = b"/v1/collections/other"
HEADER_BYTES, HEADERS, DOCUMENT_BYTES, BODY_BYTES = 16_384, 100, 200_000, 150_000  # limits of the service under test
NOTHING = 0  # no response: the connection is closed


class Case(NamedTuple):
    """`parts` are sent with a pause in between. `status` is the response's; `kind` its problem type, if it has one.

    Without a kind, the HTTP server rejects the request itself, or the response is not an error.
    """

    name: str
    parts: tuple[bytes, ...]
    status: int
    kind: str | None = None


def request(
    method: bytes, target: bytes, *headers: bytes, body: bytes | None = None, host: bytes | None = HOST
) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method, target), *([host] if host else []), b"Connection: close", *headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return CRLF.join(lines) + CRLF + CRLF + (body or b"")


def post(target: bytes, body: bytes, *headers: bytes) -> bytes:
    return request(b"POST", target, *(headers or [JSON]), body=body)


def chunked(*headers: bytes, chunks: bytes) -> bytes:
    return request(b"POST", ASK, JSON, b"Transfer-Encoding: chunked", *headers) + chunks


GOOD = b'{"question": "When does the ferry leave Aldhaven?"}'
CHUNKED_GOOD = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)


def cases() -> list[Case]:
    families = {
        "line": request_lines(),
        "header": headers(),
        "framing": framing(),
        "size": sizes(),
        "slow": slow(),
        "host": hosts(),
        "method": methods(),
        "target": targets(),
        "json": json_bodies(),
        "field": fields(),
        "value": values(),
        "media": media_types(),
        "parameter": parameters(),
        "source": sources(),
        "document": documents(),
        "condition": conditions(),
        "collection": collections(),
    }
    return [case._replace(name=f"{family}-{case.name}") for family, found in families.items() for case in found]


def bare(status: int, **raw: bytes) -> Iterator[Case]:
    for name, sent in raw.items():
        yield Case(name.replace("_", "-"), (sent,), status)


def request_lines() -> Iterator[Case]:
    tail = b"\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    yield from bare(
        400,
        http_1_2=b"GET /health HTTP/1.2" + tail,
        http_2_0=b"GET /health HTTP/2.0" + tail,
        http_3=b"GET /health HTTP/3" + tail,
        http_0_9_with_a_version=b"GET /health HTTP/0.9" + tail,
        http_9_9=b"GET /health HTTP/9.9" + tail,
        http_11=b"GET /health HTTP/11" + tail,
        http_1=b"GET /health HTTP/1" + tail,
        http_1_1_1=b"GET /health HTTP/1.1.1" + tail,
        http_negative=b"GET /health HTTP/-1.1" + tail,
        lower_case_http=b"GET /health http/1.1" + tail,
        other_protocol=b"GET /health SHTTP/1.1" + tail,
        no_version=b"GET /health " + tail,
        http_2_preface=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        lower_case_method=b"get /health HTTP/1.1" + tail,
        unknown_method=b"BREW /health HTTP/1.1" + tail,
        long_method=b"A" * 5000 + b" /health HTTP/1.1" + tail,
        method_with_at=b"G@T /health HTTP/1.1" + tail,
        method_with_nul=b"GE\0T /health HTTP/1.1" + tail,
        method_with_space=b" GET /health HTTP/1.1" + tail,
        tabs=b"GET\t/health\tHTTP/1.1" + tail,
        no_target=b"GET  HTTP/1.1" + tail,
        target_with_space=b"GET /health x HTTP/1.1" + tail,
        target_with_tab=b"GET /hea\tlth HTTP/1.1" + tail,
        target_with_nul=b"GET /hea\0lth HTTP/1.1" + tail,
        target_with_delete=b"GET /hea\x7flth HTTP/1.1" + tail,
        target_with_escape=b"GET /hea\x1blth HTTP/1.1" + tail,
        target_with_bare_return=b"GET /hea\rlth HTTP/1.1" + tail,
        target_in_utf_8=b"GET /v1/files/\xc3\xa4 HTTP/1.1" + tail,
        target_in_latin_1=b"GET /v1/files/\xe4 HTTP/1.1" + tail,
        relative_target=b"GET health HTTP/1.1" + tail,
        fragment=b"GET /health#part HTTP/1.1" + tail,
        fragment_in_query=b"GET /health?a=b#c HTTP/1.1" + tail,
        authority_target=b"GET localhost:80 HTTP/1.1" + tail,
        connect=b"CONNECT localhost:443 HTTP/1.1" + tail,
        ftp_target=b"GET ftp://localhost/health HTTP/1.1" + tail,
        file_target=b"GET file:///etc/passwd HTTP/1.1" + tail,
        target_with_user=b"GET http://me:secret@localhost/health HTTP/1.1" + tail,
        target_without_host=b"GET http:///health HTTP/1.1" + tail,
        target_without_path=b"GET http://localhost HTTP/1.1" + tail,
        bare_line_feeds=b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n",
        one_bare_line_feed=b"GET /health HTTP/1.1\nHost: localhost\r\nConnection: close\r\n\r\n",
        bare_returns=b"GET /health HTTP/1.1\rHost: localhost\r\r",
        tls_hello=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        all_bytes=bytes(range(256)),
        nuls=b"\0" * 1000,
        ssh=b"SSH-2.0-OpenSSH_9.6\r\n",
        smtp=b"EHLO example.com\r\n",
        redis=b"*1\r\n$4\r\nPING\r\n",
        json_alone=GOOD + b"\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        byte_order_mark=b"\xef\xbb\xbfGET /health HTTP/1.1" + tail,
        utf_16="GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("utf-16"),
    )


def headers() -> Iterator[Case]:
    for name, line in {
        "folded": b"X-A: a\r\n b",
        "folded-with-tab": b"X-A: a\r\n\tb",
        "starts-with-space": b" X-A: a",
        "without-colon": b"nothing",
        "without-name": b": a",
        "name-with-space": b"X A: a",
        "space-before-colon": b"X-A : a",
        "name-with-bracket": b"X(A): a",
        "name-with-at": b"X@A: a",
        "name-with-quote": b'"X-A": a',
        "name-with-slash": b"X/A: a",
        "name-with-comma": b"X,A: a",
        "name-with-nul": b"X\0A: a",
        "name-in-utf-8": b"X-\xc3\xa4: a",
        "value-with-nul": b"X-A: a\0b",
        "value-with-bell": b"X-A: a\x07b",
        "value-with-delete": b"X-A: a\x7fb",
        "value-with-escape": b"X-A: \x1b[31m",
        "value-with-bare-return": b"X-A: a\rX-B: b",
        "value-with-bare-line-feed": b"X-A: a\nX-B: b",
        "second-host": b"Host: localhost",
        "other-second-host": b"Host: example.com",
        "host-in-capitals": b"HOST: localhost",
    }.items():
        yield Case(name, (request(b"GET", b"/health", line),), 400)
    yield Case("no-host", (request(b"GET", b"/health", host=None),), 400)
    yield Case("first-one-folded", (b"GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",), 400)


def framing() -> Iterator[Case]:
    length = b"Content-Length: %d" % len(GOOD)
    chunks = b"Transfer-Encoding: chunked"
    for name, lines in {
        "length-and-chunks": [length, chunks],
        "chunks-and-length": [chunks, length],
        "length-zero-and-chunks": [b"Content-Length: 0", chunks],
        "same-length-twice": [length, length],
        "two-lengths": [length, b"Content-Length: 3"],
        "lengths-in-a-list": [b"Content-Length: %d, %d" % (len(GOOD), len(GOOD))],
        "length-with-plus": [b"Content-Length: +%d" % len(GOOD)],
        "negative-length": [b"Content-Length: -1"],
        "hexadecimal-length": [b"Content-Length: 0x33"],
        "length-with-underscore": [b"Content-Length: 5_1"],
        "length-with-point": [b"Content-Length: 51.0"],
        "length-with-exponent": [b"Content-Length: 5e1"],
        "length-in-words": [b"Content-Length: many"],
        "length-in-other-digits": ["Content-Length: ٥١".encode()],
        "length-with-space": [b"Content-Length: 5 1"],
        "empty-length": [b"Content-Length:"],
        "length-beyond-64-bits": [b"Content-Length: 18446744073709551616"],
        "length-beyond-everything": [b"Content-Length: " + b"9" * 400],
        "chunks-twice": [chunks, chunks],
        "chunks-in-a-list": [b"Transfer-Encoding: chunked, chunked"],
        "chunks-then-identity": [b"Transfer-Encoding: chunked, identity"],
        "identity": [b"Transfer-Encoding: identity"],
        "identity-and-length": [b"Transfer-Encoding: identity", length],
        "gzip-coding": [b"Transfer-Encoding: gzip"],
        "gzip-then-chunks": [b"Transfer-Encoding: gzip, chunked"],
        "chunks-then-gzip": [b"Transfer-Encoding: chunked, gzip"],
        "unknown-coding": [b"Transfer-Encoding: xchunked"],
        "quoted-coding": [b'Transfer-Encoding: "chunked"'],
        "coding-with-parameter": [b"Transfer-Encoding: chunked;q=0.5"],
        "coding-behind-vertical-tab": [b"Transfer-Encoding:\x0bchunked"],
        "coding-behind-nul": [b"Transfer-Encoding:\0chunked"],
        "coding-name-with-space": [b"Transfer-Encoding : chunked"],
        "coding-folded": [b"Transfer-Encoding:\r\n chunked"],
        "coding-empty": [b"Transfer-Encoding:"],
        "coding-with-comma": [b"Transfer-Encoding: ,chunked"],
        "length-folded": [b"Content-Length:\r\n 51"],
        "length-name-with-space": [b"Content-Length : 51"],
    }.items():
        body = CHUNKED_GOOD if b"chunked" in b"".join(lines) else GOOD
        yield Case(name, (request(b"POST", ASK, JSON, *lines) + body,), 400)
    yield Case("chunks-in-http-1-0", (b"POST /v1/ask HTTP/1.0\r\nHost: localhost\r\n" + chunks + CRLF * 2,), 400)
    for name, sent in {
        "negative-chunk": b"-33\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-with-plus": b"+33\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-with-0x": b"0x33\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-with-space": b"33 \r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-behind-space": b" 33\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-in-words": b"many\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-beyond-64-bits": b"fffffffffffffffff\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-that-overflows": b"8000000000000000000000000000033\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-with-line-feed": b"33\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-too-short": b"32\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "chunk-without-end": b"33\r\n" + GOOD + b"0\r\n\r\n",
        "chunk-ends-with-line-feed": b"33\r\n" + GOOD + b"\n0\r\n\r\n",
        "extension-with-line-feed": b"33;a\nb\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "extension-with-nul": b"33;a\0b\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "endless-extension": b"33;" + b"a" * 400_000 + b"\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "endless-trailer": b"33\r\n" + GOOD + b"\r\n0\r\nX-A: " + b"a" * 400_000,
        "trailing-length": b"33\r\n" + GOOD + b"\r\n0\r\nContent-Length: 3\r\n\r\n",
        "trailing-coding": b"33\r\n" + GOOD + b"\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "bad-trailer": b"33\r\n" + GOOD + b"\r\n0\r\nX A: a\r\n\r\n",
        "no-size": b"\r\n" + GOOD + b"\r\n0\r\n\r\n",
        "not-chunked-at-all": GOOD,
    }.items():
        yield Case(name, (chunked(chunks=sent),), 400)
    for name, line in {"host": b"Host: example.com", "origin": b"Origin: https://example.com"}.items():
        sent = chunked(chunks=b"33\r\n" + GOOD + b"\r\n0\r\n" + line + b"\r\n\r\n")
        yield Case(f"trailer-is-no-{name}", (sent,), 200)
    yield Case("smuggled-behind-a-body", (post(ASK, GOOD) + b"GET /health HTTP/1.1\r\n\r\n",), 200)
    yield Case("upgrade-to-http-2", (request(b"GET", b"/health", b"Upgrade: h2c", b"Connection: Upgrade"),), 200)
    yield Case("upgrade-to-websocket", (request(b"GET", b"/nothing", b"Upgrade: websocket"),), 404, "unknown-path")


def sizes() -> Iterator[Case]:
    get = request(b"GET", b"/health")[:-2]
    for count in (HEADERS, 200, 1000, 5000):
        yield Case(f"{count}-more-headers", (get + b"X: y\r\n" * count + CRLF,), 431)
    for size in (HEADER_BYTES, 2 * HEADER_BYTES, 70_000, 300_000, 3_000_000):
        yield Case(f"header-of-{size}", (get + b"X: " + b"y" * size + CRLF * 2,), 431)
        yield Case(f"header-name-of-{size}", (get + b"x" * size + b": y\r\n\r\n",), 431)
        yield Case(f"path-of-{size}", (request(b"GET", b"/" + b"a" * size),), 431)
        yield Case(f"query-of-{size}", (request(b"GET", b"/health?" + b"a" * size),), 431)
        yield Case(f"endless-header-of-{size}", (get + b"X: " + b"y" * size,), 431)
    yield Case("empty-lines", (CRLF * HEADER_BYTES,), 431)
    yield Case("header-in-many-parts", (get, *[b"X: " + b"y" * 7000 + CRLF] * 3), 431)
    for target in (ASK, BATCH, SEARCH, CONTEXT, VERIFY, COLLECTION):
        method = b"PUT" if target == COLLECTION else b"POST"
        declared = request(method, target, JSON, b"Content-Length: %d" % (BODY_BYTES + 1))
        yield Case(f"declared-{target.decode()}", (declared,), 413, "too-large")
        sent = request(method, target, JSON, body=b" " * BODY_BYTES + GOOD)
        yield Case(f"sent-{target.decode()}", (sent,), 413, "too-large")
        part = b"10000\r\n" + b" " * 0x10000 + CRLF
        more = request(method, target, JSON, b"Transfer-Encoding: chunked") + part * 4 + b"0\r\n\r\n"
        yield Case(f"chunked-{target.decode()}", (more,), 413, "too-large")
    for size in (10**12, 2**63 - 1, 2**63, 2**64 - 1):
        yield Case(f"declared-{size}", (request(b"POST", ASK, JSON, b"Content-Length: %d" % size),), 413, "too-large")
    put = request(b"PUT", b"/v1/documents/large.txt", b"Content-Length: %d" % (DOCUMENT_BYTES + 1))
    yield Case("declared-document", (put,), 413, "too-large")
    yield Case("announced-document", (put[:-2] + b"Expect: 100-continue\r\n\r\n",), 413, "too-large")
    yield Case(
        "sent-document",
        (request(b"PUT", b"/v1/documents/large.txt", body=b"a" * (DOCUMENT_BYTES + 1)),),
        413,
        "too-large",
    )


def slow() -> Iterator[Case]:
    get = request(b"GET", b"/health")
    yield Case("nothing", (b"",), NOTHING)
    for name, end in {"method": 2, "line": 20, "first-header": 30, "last-line": len(get) - 1}.items():
        yield Case(f"stops-in-{name}", (get[:end],), 408)
    yield Case("http-0-9", (b"GET /health\r\n",), 408)
    yield Case("one-header-after-another", (get[:-2], *[b"X-A: b\r\n"] * 20), 408)
    yield Case("empty-lines", (*[CRLF] * 20,), 408)
    ask = post(ASK, GOOD)
    yield Case("no-body", (ask[: -len(GOOD)],), 408)
    yield Case("half-a-body", (ask[:-10],), 408)
    yield Case("byte-after-byte", (ask[:-20], *[b" "] * 15), 408)
    yield Case("no-chunk", (chunked(chunks=b""),), 408)
    yield Case("half-a-chunk", (chunked(chunks=b"33\r\n{"),), 408)
    yield Case("half-an-extension", (chunked(chunks=b"33;a"),), 408)
    yield Case("no-last-chunk", (chunked(chunks=CHUNKED_GOOD[:-5]),), 408)
    put = request(b"PUT", b"/v1/documents/slow.txt", b"Content-Length: 100") + b"Half of this"
    yield Case("half-a-document", (put,), 408)


def hosts() -> Iterator[Case]:
    for host in (
        "example.com", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1@example.com", "192.168.1.2",
        "0.0.0.1", "[::]", "", "2130706433", "0x7f000001", "017700000001", "localhost:", "localhost:x",
        "localhost:999999",
        "local host", "localhost, example.com", "localhost/", "http://localhost", "[::1", "::1", "ⓛocalhost",
        "localhost%00",
    ):  # fmt: skip
        line = b"Host: " + host.encode()
        yield Case(f"is-{host or 'empty'}", (request(b"GET", b"/health", host=line),), 403, "foreign-host")
    for origin in (
        "https://example.com", "null", "", "localhost", "file://", "http://localhost.example.com",
        "http://localhost@x.org",
        "ftp://localhost", "javascript://localhost", "http://localhost:8000, https://example.com", "http://localhost/x",
    ):  # fmt: skip
        line = b"Origin: " + origin.encode()
        yield Case(f"origin-{origin or 'empty'}", (post(ASK, GOOD, JSON, line),), 403, "foreign-origin")
    absolute = request(b"GET", b"http://example.com/health")
    yield Case("of-an-absolute-target", (absolute,), 403, "foreign-host")
    own = request(b"GET", b"http://localhost:8000/health", host=b"Host: example.com")
    yield Case("behind-an-absolute-target", (own,), 200)
    yield Case("none-in-http-1-0", (b"GET /health HTTP/1.0\r\n\r\n",), 403, "foreign-host")


ROUTES = {
    b"/v1/ask": b"POST",
    b"/v1/ask/batch": b"POST",
    b"/v1/search": b"POST",
    b"/v1/context": b"POST",
    b"/v1/citations/verify": b"POST",
    b"/v1/documents": b"GET HEAD",
    b"/v1/documents/metals.md": b"GET HEAD PUT DELETE",
    b"/v1/files/metals.md": b"GET HEAD",
    b"/v1/texts/metals.md": b"GET HEAD",
    b"/v1/collections": b"GET HEAD",
    b"/v1/collections/default": b"GET HEAD PUT DELETE",
    b"/health": b"GET HEAD",
    b"/ready": b"GET HEAD",
    b"/schema": b"GET HEAD",
    b"/schema/openapi.json": b"GET HEAD",
}
METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"TRACE",
    b"PROPFIND",
    b"MKCOL",
    b"LOCK",
    b"SEARCH",
    b"PURGE",
    b"LINK",
)


def methods() -> Iterator[Case]:
    for path, taken in ROUTES.items():
        for method in METHODS:
            if method not in taken.split():
                name = f"{method.decode()}-{path.decode()}"
                yield Case(name, (request(method, path, body=b""),), 405, "wrong-method")
    yield Case("connect", (request(b"CONNECT", b"/health"),), 405, "wrong-method")
    yield Case("icecast", (b"SOURCE /health ICE/1.0\r\nHost: localhost\r\n\r\n",), 405, "wrong-method")
    yield Case("slash-behind", (request(b"GET", b"/v1/ask/"),), 405, "wrong-method")
    yield Case("two-slashes", (request(b"GET", b"/v1//ask"),), 405, "wrong-method")
    yield Case("encoded-slash", (request(b"GET", b"/v1/ask%2fbatch"),), 405, "wrong-method")
    yield Case("options-for-all", (request(b"OPTIONS", b"*"),), 404, "unknown-path")
    for override in (b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: PUT"):
        sent = request(b"POST", b"/v1/documents/metals.md", override, body=b"")
        yield Case(f"override-{override[-6:].decode().strip()}", (sent,), 405, "wrong-method")


def targets() -> Iterator[Case]:
    for path in (
        "/nothing", "//", "/.", "/..", "/../etc/passwd", "/%2e%2e/etc/passwd", "/v1", "/v1/",
        "/V1/ask", "/v1/ASK", "/v1/./ask", "/v1/x/../ask", "/v1/ask;a=b", "/v1/a%2fb",
        "/v1/ask%00", "/v1/ask%20", "/health%0a", "/%68ealth/x", "/v1/collections/a/b", "/v1/collections/a%2fb",
        "/.env",
        "/.git/config", "/wp-login.php", "/server-status", "/cgi-bin/test", "/favicon.ico", "/robots.txt",
        "/schema/assets/../../pyproject.toml", "/schema/assets/%2e%2e/%2e%2e/pyproject.toml",
        "/schema/page/../settings.py",
        "/schema/assets/..%2f..%2fpyproject.toml", "/schema/assets/..%5c..%5cpyproject.toml",
        "/schema/assets//etc/passwd",
        "/schema/assets/%00", "/schema/page/", "/schema/assets/" + "a" * 5000, "/schema/assets/",
        "/schema/openapi.yaml",
    ):  # fmt: skip
        yield Case(path[:80], (request(b"GET", path.encode()),), 404, "unknown-path")
    for prefix in ("documents", "files", "texts"):
        for name, sent in {
            "unknown": "nothing.txt", "up": "../metals.md", "encoded-up": "%2e%2e/metals.md",
            "encoded-slash-up": "..%2fmetals.md",
            "deep-up": "../" * 30 + "etc/passwd", "absolute": "/etc/passwd", "encoded-absolute": "%2fetc%2fpasswd",
            "drive": "c:/windows/win.ini", "back": "..%5c..%5cmetals.md", "nul": "metals.md%00",
            "nul-behind": "metals.md%00.txt",
            "twice-encoded": "metals%252emd", "trailing-slash": "metals.md/", "empty-part": "harbour//ferry.txt",
            "dot-part": "harbour/./ferry.txt", "other-case": "METALS.MD", "trailing-space": "metals.md%20",
            "trailing-dot": "metals.md.", "stream": "metals.md::$DATA", "look-alike-slash": quote("harbour∕ferry.txt"),
            "full-width-slash": quote("harbour／ferry.txt"), "fraction-slash": quote("harbour⁄ferry.txt"),
            "decomposed": quote("odd name, 100% + a\u0308?#.txt"), "zero-width": quote("metals\u200b.md"),
            "long": "a" * 5000, "percent-alone": "%", "percent-cut": "%4", "percent-letters": "%zz.md",
        }.items():  # fmt: skip
            target = f"/v1/{prefix}/{sent}".encode()
            yield Case(f"{prefix}-{name}", (request(b"GET", target),), 404, "unknown-document")
        for name, sent in {
            "byte": "%ff", "overlong-slash": "..%c0%af..%c0%afetc", "overlong-nul": "metals.md%c0%80",
            "surrogate": "%ed%a0%80",
            "cut-off": "%e2%82", "latin-1": "%e4.txt", "beyond-unicode": "%f4%90%80%80",
        }.items():  # fmt: skip
            target = f"/v1/{prefix}/{sent}".encode()
            yield Case(f"{prefix}-{name}", (request(b"GET", target),), 400, "bad-path")


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + closing * depth


def json_bodies() -> Iterator[Case]:
    broken = {
        "empty": b"",
        "space": b"   ",
        "cut-off": GOOD[:-1],
        "open-string": b'{"question": "Who',
        "two-values": GOOD + GOOD,
        "trailing-comma": b'{"question": "Who?",}',
        "comment": b'{"question": "Who?" /* me */}',
        "single-quotes": b"{'question': 'Who?'}",
        "no-quotes": b'{question: "Who?"}',
        "yaml": b"question: Who?",
        "xml": b"<question>Who?</question>",
        "form": b"question=Who%3F",
        "nan": b'{"question": "Who?", "min_confidence": NaN}',
        "infinity": b'{"question": "Who?", "min_confidence": Infinity}',
        "minus-infinity": b'{"question": "Who?", "min_confidence": -Infinity}',
        "plus": b'{"question": "Who?", "max_answers": +1}',
        "leading-zero": b'{"question": "Who?", "max_answers": 01}',
        "hexadecimal": b'{"question": "Who?", "max_answers": 0x1}',
        "point-alone": b'{"question": "Who?", "min_confidence": .5}',
        "half-exponent": b'{"question": "Who?", "max_answers": 1e}',
        "bad-escape": b'{"question": "Wh\\x6f?"}',
        "half-escape": b'{"question": "Wh\\u00"}',
        "line-break": b'{"question": "Who\n?"}',
        "tab": b'{"question": "Who\t?"}',
        "nul": b'{"question": "Who\0?"}',
        "nul-behind": GOOD + b"\0",
        "byte": b'{"question": "Who\xff?"}',
        "latin-1": b'{"question": "Wo ist B\xe4r?"}',
        "overlong": b'{"question": "\xc0\xafWho?"}',
        "surrogate-bytes": b'{"question": "\xed\xa0\x80Who?"}',
        "cut-character": b'{"question": "Who \xe2\x82"}',
        "lone-surrogate": b'{"question": "\\ud800 Who?"}',
        "lone-low-surrogate": b'{"question": "\\udc00 Who?"}',
        "swapped-surrogates": b'{"question": "\\udc00\\ud800 Who?"}',
        "surrogate-in-name": b'{"\\ud800": 1, "question": "Who?"}',
        "byte-order-mark": b"\xef\xbb\xbf" + GOOD,
        "utf-16": GOOD.decode().encode("utf-16"),
        "utf-16-be": GOOD.decode().encode("utf-16-be"),
        "utf-32": GOOD.decode().encode("utf-32"),
        "gzip-magic": b"\x1f\x8b\x08\0" + bytes(100),
        "multipart": b"--x\r\n\r\nWho?\r\n--x--\r\n",
        "literal": b"nul",
        "python": b'{"question": None}',
        "undefined": b'{"question": undefined}',
        "msgpack": b"\x81\xa8question\xa4Who?",
        "open-arrays": b"[" * 100_000,
        "open-objects": b'{"a":' * 20_000,
    }
    for path in (ASK, BATCH, SEARCH, CONTEXT, VERIFY):
        for name, body in broken.items():
            seen_first = path != ASK or name.startswith("open")  # schema errors are found before syntax errors
            yield Case(f"{path.decode()}-{name}", (post(path, body),), 400, None if seen_first else "malformed-json")
    for name, text in {
        "deep-arrays": nested(50_000, "[", "]"),
        "deep-objects": nested(20_000, '{"a":', "}").replace(":}", ":1}", 1),
        "array": "[]", "text": '"Who?"', "number": "1", "null": "null", "true": "true", "big-number": "1" * 10_000,
    }.items():  # fmt: skip
        yield Case(f"whole-{name}", (post(ASK, text.encode()),), 400, "bad-field")
    for name, text in {
        "in-a-field": '{"question": ' + nested(50_000, "[", "]") + "}",
        "in-sources": '{"question": "Who?", "sources": ' + nested(50_000, "[", "]") + "}",
        "in-an-unknown-field": '{"question": "Who?", "a": ' + nested(50_000, "[", "]") + "}",
    }.items():
        yield Case(f"deep-{name}", (post(ASK, text.encode()),), 400)


def ask_with(**members: str) -> bytes:
    """A body whose members are raw JSON, so that they can be values that Python does not have."""
    present = {"question": '"Who?"'} | members
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in present.items()) + "}").encode()


def fields() -> Iterator[Case]:
    wrong = {
        "question": ["1", "null", "true", "[]", "{}", '["Who?"]'],
        "max_answers": ['"3"', "null", "true", "[]", "{}", "1.5", "1e999999", "-1e999999", "1" + "0" * 5000],
        "passages": ['"3"', "null", "false", "[1]", "0.1"],
        "collection": ["1", "null", "[]", "true"],
        "sources": ['"*"', "1", "{}", "[1]", "[null]", '[["*"]]', "true"],
        "min_confidence": ['"1"', "true", "[]", "1e999999", "-1e400", "9" * 400],
        "deadline_ms": ['"5"', "true", "1.5", "[]", "1e999999"],
    }
    for field, given in wrong.items():
        for number, value in enumerate(given):
            yield Case(f"{field}-{number}-{value[:12]}", (post(ASK, ask_with(**{field: value})),), 400)
    for name in ("Question", "question ", "", "__proto__", "constructor", "$ref", "limit", "stream", "key", "x" * 5000):
        yield Case(f"unknown-{name[:20]}", (post(ASK, ask_with(**{name: "1"})),), 400, "bad-field")
    yield Case("missing", (post(ASK, b"{}"),), 400, "bad-field")
    yield Case("missing-query", (post(SEARCH, GOOD),), 400, "bad-field")
    yield Case("missing-questions", (post(BATCH, GOOD),), 400, "bad-field")
    for name, body in {
        "question": b'{"question": "Who?", "question": "What?"}',
        "escaped": b'{"question": "Who?", "qu\\u0065stion": "What?"}',
        "equal": b'{"question": "Who?", "question": "Who?"}',
        "number": b'{"question": "Who?", "max_answers": 1, "max_answers": 2}',
    }.items():
        yield Case(f"repeated-{name}", (post(ASK, body),), 400, "repeated-field")
    for number, value in enumerate(("null", '"Who?"', "{}", "1")):
        yield Case(f"questions-{number}", (post(BATCH, b'{"questions": %s}' % value.encode()),), 400, "bad-field")
    for number, value in enumerate(('"5"', "null", "1.5", "true", "1e999999")):
        yield Case(f"top-k-{number}", (post(SEARCH, b'{"query": "Who?", "top_k": %s}' % value.encode()),), 400)


def values() -> Iterator[Case]:
    low, high = "9223372036854775807", "-9223372036854775808"
    for field, given in {
        "max_answers": ["0", "-1", "21", low, high, "9" * 400],
        "passages": ["-1", "51", low, high, "9" * 30],
        "min_confidence": ["-0.001", "1.001", "-1", "2", "1e300", "-1e-300"],
        "deadline_ms": ["0", "-1", "3600001", low],
    }.items():
        for value in given:
            yield Case(f"{field}-{value[:30]}", (post(ASK, ask_with(**{field: value})),), 422, "out-of-range")
    for value in ("0", "101", "-5", low):
        yield Case(
            f"top-k-{value}", (post(SEARCH, b'{"query": "Who?", "top_k": %s}' % value.encode()),), 422, "out-of-range"
        )
    for name, question, kind in (
        ("empty", "", "bad-length"), ("long", "a" * 2001, "bad-length"), ("long-wide", "🙂" * 2001, "bad-length"),
        ("very-long", "a" * 100_000, "bad-length"), ("spaces", "   ", "blank"), ("line-breaks", "\n\r\n", "blank"),
        ("wide-spaces", "\u3000\u2003", "blank"), ("nul", "Who\0?", "nul-character"), ("nul-alone", "\0",
        "nul-character"),
    ):  # fmt: skip
        yield Case(f"question-{name}", (post(ASK, ask_with(question=json.dumps(question))),), 422, kind)
        body = json.dumps({"query": question}).encode()
        yield Case(f"query-{name}", (post(SEARCH, body),), 422, kind)
    for name, patterns, kind in (
        ("empty", [""], "bad-length"), ("long", ["a" * 1001], "bad-length"), ("many", ["*"] * 101, "bad-length"),
        ("nul", ["a\0b"], "nul-character"),
    ):  # fmt: skip
        yield Case(f"sources-{name}", (post(ASK, ask_with(sources=json.dumps(patterns))),), 422, kind)
    for name, questions in {"none": [], "many": ["Who?"] * 1001}.items():
        body = json.dumps({"questions": questions}).encode()
        yield Case(f"batch-of-{name}", (post(BATCH, body),), 422, "bad-length")
    for name in ("other", "", "Default", "../default", "default\u0000", "a" * 5000, "default/", "∕"):
        kind = "nul-character" if "\0" in name else "unknown-collection"
        status = 422 if "\0" in name else 404
        sent = post(ASK, ask_with(collection=json.dumps(name)))
        yield Case(f"collection-{name[:12]!r}", (sent,), status, kind)


def media_types() -> Iterator[Case]:
    for given in (
        "", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data",
        "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/json; charset=latin-1",
        "*/*",
        "application/json; charset=", "application/json, text/plain", "application/jsonp", "application/ld+json",
        "json",
        "application/x-ndjson", "application/msgpack", "application/octet-stream",
        "application/json;charset=utf-8;x=y", ";",
    ):  # fmt: skip
        line = b"Content-Type: " + given.encode()
        yield Case(f"type-{given or 'empty'}", (post(ASK, GOOD, line),), 415, "unsupported-media")
    yield Case("no-type", (post(ASK, GOOD, b"X-A: b"),), 415, "unsupported-media")
    for coding in ("gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP", "x"):
        line = b"Content-Encoding: " + coding.encode()
        yield Case(f"coding-{coding}", (post(ASK, GOOD, JSON, line),), 415, "unsupported-media")
        sent = request(b"PUT", b"/v1/documents/packed.txt", line, body=b"Packed.")
        yield Case(f"document-coding-{coding}", (sent,), 415, "unsupported-media")
    for accepted in ("text/html", "application/xml", "text/*", "image/webp", "application/jsonp", "", "x"):
        line = b"Accept: " + accepted.encode()
        yield Case(f"accept-{accepted or 'empty'}", (post(ASK, GOOD, JSON, line),), 406, "not-acceptable")
    for path in (
        "/health",
        "/ready",
        "/v1/documents",
        "/v1/collections",
        "/v1/documents/metals.md",
        "/v1/texts/metals.md",
    ):
        sent = request(b"GET", path.encode(), b"Accept: text/html")
        yield Case(f"accept-{path}", (sent,), 406, "not-acceptable")
    yield Case(
        "accept-json-for-lines", (post(BATCH, b'{"questions": ["Who?"]}', JSON, b"Accept: application/json"),), 406
    )


def parameters() -> Iterator[Case]:
    for path, query in (
        ("/health", "a=b"), ("/ready", "verbose"), ("/v1/documents", "page=2"), ("/v1/documents", "limit=1&limit=2"),
        ("/v1/documents", "limit=ten"), ("/v1/documents", "limit="), ("/v1/documents", "limit=1.5"), ("/v1/documents",
        "limit=1e3"),
        ("/v1/documents", "limit=0x10"), ("/v1/documents", "limit=%00"), ("/v1/documents", "limit=" + "9" * 5000),
        ("/v1/documents", "limit=١"), ("/v1/documents", "limit=1_0"), ("/v1/documents", "limit=+1"), ("/v1/documents",
        "limit=%201"),
        ("/v1/documents", "limit[]=1"), ("/v1/documents", "collection=default&collection=default"), ("/v1/documents",
        "="),
        ("/v1/files/metals.md", "sha=1"), ("/v1/documents/metals.md", "title=x"), ("/v1/collections", "limit=1"),
        ("/v1/texts/metals.md", "sha256=x"), ("/v1/documents", "a;b"),
    ):  # fmt: skip
        sent = request(b"GET", f"{path}?{quote(query, safe='=&[]%;+')}".encode())
        yield Case(f"{path}-{query[:30]}", (sent,), 400, "bad-parameter")
    for limit in ("0", "-1", "1001", "999999999999999999"):
        yield Case(f"limit-{limit}", (request(b"GET", b"/v1/documents?limit=" + limit.encode()),), 422, "out-of-range")
    for cursor in ("", "x", "AAAA", "AAAAAA==", "%00", "....", "9" * 5000, "%ff", "AAAAAGE", "../", "MTIzNA"):
        yield Case(
            f"cursor-{cursor[:10]}", (request(b"GET", b"/v1/documents?cursor=" + cursor.encode()),), 400, "bad-cursor"
        )
    for name in ("other", "", "..", "%2e%2e", "Default", "a" * 300, "default%20", "%ff", "default%2f"):
        sent = request(b"GET", b"/v1/documents?collection=" + name.encode())
        yield Case(f"collection-{name[:12]}", (sent,), 404, "unknown-collection")
    yield Case("on-a-body", (post(ASK + b"?question=Who", GOOD),), 400, "bad-parameter")
    for version in ("x", "0" * 64, "f" * 63, "%00"):
        sent = request(b"GET", b"/v1/files/metals.md?sha256=" + version.encode())
        yield Case(f"version-{version[:5]}", (sent,), 410, "version-gone")


BAD_SOURCES = {
    "up": "../evil.txt", "encoded-up": "%2e%2e/evil.txt", "half-encoded-up": ".%2e/evil.txt",
    "encoded-slash-up": "..%2fevil.txt",
    "up-in-the-middle": "a/../evil.txt", "up-at-the-end": "a/..", "only-up": "..", "dot": ".",
    "dot-first": "./evil.txt",
    "dot-in-the-middle": "a/./evil.txt", "deep-up": "../" * 40 + "var/evil.txt", "absolute": "/var/evil.txt",
    "encoded-absolute": "%2fvar%2fevil.txt", "two-slashes": "a//evil.txt", "slash-at-the-end": "a/",
    "back": "..%5cevil.txt",
    "back-in-the-middle": "a%5cevil.txt", "drive": "C:%5cevil.txt", "share": "%5c%5chost%5cshare", "nul": "evil%00.txt",
    "nul-alone": "%00", "line-break": "evil%0a.txt", "return": "evil%0d.txt", "tab": "evil%09.txt",
    "escape": "evil%1b.txt",
    "delete": "evil%7f.txt", "c1-control": "evil%c2%85.txt", "long": "a" * 1025, "long-parts": "a/" * 600 + "b",
    "long-wide": quote("ä" * 513),
    "longer": "a" * 9000, "look-alike-slash": quote("a∕evil.txt"), "full-width-slash": quote("..／evil.txt"),
    "fraction-slash": quote("..⁄evil.txt"),
    "full-width-dots": quote("．．/evil.txt"), "two-dot-leader": quote("‥/evil.txt"),
    "one-dot-leaders": quote("․․/evil.txt"),
    "look-alike-back": quote("..＼evil.txt"), "small-back": quote("..﹨evil.txt"), "device": "CON",
    "device-in-lower-case": "nul",
    "device-with-ending": "nul.txt", "device-in-the-middle": "a/AUX/evil.txt", "port": "COM1.txt", "printer": "lpt9",
    "super-port": quote("COM¹"),
    "drive-alone": "c:", "drive-relative": "c:evil.txt", "drive-absolute": "c:/evil.txt",
}  # fmt: skip
UNUSUAL_SOURCES = {
    "twice-encoded": "%2e%2e%2fevil.txt", "percent": "100%.txt", "no-device": "console.txt", "no-drive": "evil:x",
    "trailing-dot": "evil.",
    "trailing-space": "evil ", "home": "~/evil.txt", "hidden": ".evil", "three-dots": ".../evil.txt",
    "question": "evil?.txt",
    "fragment": "evil#.txt", "pipe": "|evil", "semicolon": "evil;a=b", "variable": "$HOME/evil.txt",
    "zero-width": "evil\u200b.txt",
    "decomposed": "a\u0308.txt", "direction": "evil\u202etxt.exe", "composed": "\u00e4.txt", "emoji": "🙂.txt",
    "longest": "a" * 1024,
    "quotes": "\"evil'.txt",
}  # fmt: skip


def sources() -> Iterator[Case]:
    for name, source in BAD_SOURCES.items():
        sent = request(b"PUT", f"/v1/documents/{source}".encode(), b"Content-Type: text/plain", body=b"Evil.")
        yield Case(f"put-{name}", (sent,), 422, "bad-source")
        if len(source) < 2000:
            response = request(b"DELETE", f"/v1/documents/{source}".encode())
            yield Case(f"delete-{name}", (response,), 404, "unknown-document")
    for source in ("%ff", "%c0%ae%c0%ae/evil.txt", "%ed%a0%80", "a%c0%afb", "%e2%82"):
        sent = request(b"PUT", f"/v1/documents/{source}".encode(), body=b"Evil.")
        yield Case(f"put-{source[:9]}", (sent,), 400, "bad-path")
    yield Case("put-nothing", (request(b"PUT", b"/v1/documents/", body=b"Evil."),), 405, "wrong-method")


def documents() -> Iterator[Case]:
    put = [b"PUT", b"/v1/documents/new.txt"]
    for name, line, body, status, kind in (
        ("binary", "", bytes(range(256)) * 4, 415, "unreadable-document"), ("nuls", "", b"\0" * 100, 415,
        "unreadable-document"),
        ("png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(100), 415, "unreadable-document"),
        ("zip", "application/zip", b"PK\3\4" + bytes(100), 415, "unreadable-document"),
        ("pdf", "application/pdf", b"%PDF-1.7\n", 422, "damaged-document"),
        ("word-97", "application/msword", b"\xd0\xcf\x11\xe0" + bytes(100), 415, "unreadable-document"),
        ("json", "application/json", b"{}", 415, "unreadable-document"),
        ("form", "multipart/form-data; boundary=x", b"--x--", 415, "unreadable-document"),
        ("not-utf-8", "text/plain; charset=utf-8", b"Owls \xff hunt.", 422, "broken-utf8"),
        ("half-utf-16", "text/plain; charset=utf-16-le", b"abc", 422, "undecodable-document"),
        ("lone-surrogate-in-utf-16", "text/plain; charset=utf-16-le", b"\0\xd8a\0", 422, "undecodable-document"),
        ("not-ascii", "text/plain; charset=us-ascii", "Bär".encode(), 422, "undecodable-document"),
        ("stateful", "text/plain; charset=iso-2022-jp", b"Owls", 415, "unreadable-document"),
        ("utf-7", "text/plain; charset=utf-7", b"Owls", 415, "unreadable-document"),
        ("hz", "text/plain; charset=hz", b"Owls", 415, "unreadable-document"),
        ("unknown-charset", "text/plain; charset=nothing", b"Owls", 415, "unreadable-document"),
        ("codec-that-is-none", "text/plain; charset=rot13", b"Owls", 415, "unreadable-document"),
        ("base64-codec", "text/plain; charset=base64", b"T3dscw==", 415, "unreadable-document"),
        ("zlib-codec", "text/plain; charset=zlib", b"x\x9c\x03\0", 415, "unreadable-document"),
        ("idna-codec", "text/plain; charset=idna", b"Owls", 415, "unreadable-document"),
        ("punycode-codec", "text/plain; charset=punycode", b"Owls-", 415, "unreadable-document"),
        ("charset-path", "text/plain; charset=../../evil", b"Owls", 415, "unreadable-document"),
        ("charset-nul", 'text/plain; charset="a b"', b"Owls", 415, "unreadable-document"),
        ("long-charset", "text/plain; charset=" + "a" * 5000, b"Owls", 415, "unreadable-document"),
    ):  # fmt: skip
        media = [b"Content-Type: " + line.encode()] if line else []
        yield Case(name, (request(*put, *media, body=body),), status, kind)
    yield Case(
        "cut-off-chunks", (request(*put, b"Transfer-Encoding: chunked") + b"5\r\nOwls \r\n5\r\nhu\r\n0\r\n\r\n",), 400
    )


def conditions() -> Iterator[Case]:
    for match in ('"x"', "x", "", '""', '"' + "0" * 64 + '"', "W/", ", ,", '"a", "b"', "'*'", "**"):
        line = b"If-Match: " + match.encode()
        sent = request(b"PUT", b"/v1/documents/metals.md", line, body=b"Copper melts.")
        yield Case(f"put-if-match-{match[:9]}", (sent,), 412, "precondition-failed")
        response = request(b"DELETE", b"/v1/documents/metals.md", line)
        yield Case(f"delete-if-match-{match[:9]}", (response,), 412, "precondition-failed")
    new = request(b"PUT", b"/v1/documents/metals.md", b"If-None-Match: *", body=b"Copper melts.")
    yield Case("put-if-none-match", (new,), 412, "precondition-failed")
    absent = request(b"PUT", b"/v1/documents/absent.txt", b"If-Match: *", body=b"Copper melts.")
    yield Case("put-if-any-match", (absent,), 412, "precondition-failed")
    for asked in ("bytes=99999-", "bytes=-0", "bytes=100000-100001", "bytes=999999999999999999-"):
        sent = request(b"GET", b"/v1/files/metals.md", b"Range: " + asked.encode())
        yield Case(f"range-{asked}", (sent,), 416, "range-not-satisfiable")
    for asked in (
        "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-1", "bytes=0-1,2-3", "lines=0-1", "bytes=0--1",
        "bytes=0-1;q=1",
        "bytes=" + ",".join(f"{n}-" for n in range(900)), "bytes=-" + "9" * 400, "bytes=1_0-20", "bytes=١-٢",
        "bytes=+1-2",
    ):  # fmt: skip
        sent = request(b"GET", b"/v1/files/metals.md", b"Range: " + asked.encode())
        yield Case(f"range-ignored-{asked[:20]}", (sent,), 200)


def collections() -> Iterator[Case]:
    for name in (
        "A",
        "a_b",
        "a.b",
        "%2e%2e",
        "a%20b",
        "%00",
        "a" * 65,
        quote("ä"),
        "a%0a",
        quote("а"),
        "default%00",
        "-%5c",
    ):
        yield Case(f"put-{name[:12]}", (request(b"PUT", b"/v1/collections/" + name.encode()),), 422, "bad-collection")
        missing = request(b"GET", b"/v1/collections/" + name.encode())
        yield Case(f"get-{name[:12]}", (missing,), 404, "unknown-collection")
    for name, body, status, kind in (
        ("encoder-path", b'{"encoder": "../../evil"}', 422, "unknown-encoder"),
        ("encoder-of-a-long-name", b'{"encoder": "%s"}' % (b"a" * 1000), 422, "unknown-encoder"),
        ("encoder-number",
        b'{"encoder": 1}', 400, "bad-field"),
        ("encoder-url", b'{"encoder": "https://example.com/x"}', 422, "unknown-encoder"), ("array", b"[]", 400,
        "bad-field"),
        ("encoder-empty", b'{"encoder": ""}', 422, "bad-length"), ("encoder-long",
        b'{"encoder": "%s"}' % (b"a" * 1001), 422, "bad-length"),
        ("broken", b"{", 400, "malformed-json"), ("unknown", b'{"name": "x"}', 400, "bad-field"),
        ("encoder-nul", b'{"encoder": "a\\u0000"}', 422, "nul-character"),
    ):  # fmt: skip
        yield Case(name, (request(b"PUT", COLLECTION, JSON, body=body),), status, kind)
    yield Case("no-type", (request(b"PUT", COLLECTION, body=b"{}"),), 415, "unsupported-media")
    yield Case("drop-default", (request(b"DELETE", b"/v1/collections/default"),), 409, "default-collection")
    yield Case("drop-unknown", (request(b"DELETE", COLLECTION),), 404, "unknown-collection")


def described(found: Sequence[Case]) -> str:
    return "\n".join(f"{case.name}: {case.status} {case.kind or ''}" for case in found)
