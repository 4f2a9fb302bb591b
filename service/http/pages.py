"""The page at `/`, the examples, and the embeddable components, served from memory."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from litestar import Response, get
from litestar.params import HeaderParameter
from msgspec import Struct

from service.errors import UnknownPath
from service.http.problems import AppRequest
from service.http.ranges import matches
from service.http.routes.state import OPEN

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "page/index.html"} | {f"/examples/{name}": f"examples/{name}.html" for name in ("plain", "dark", "site")}
PARTS = ("answer", "source", "elements", "client", "anchoring", "citations", "painting", "styles")
EMBEDDED = {"/embed.js": "embed/embed.js"} | {f"/embed/{name}.js": f"embed/{name}.js" for name in PARTS}
OWN = {f"/page/{name}": f"page/{name}" for name in ("page.js", "uploads.js", "examples.js", "icon.svg")} | {
    f"/examples/{name}.css": f"examples/{name}.css" for name in ("plain", "dark", "site")
}
PATHS = PAGES | {"/examples": "examples/index.html"} | EMBEDDED | OWN
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'{}; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)  # inline, because a file of its own delays the first paint
ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}


class Asset(Struct, frozen=True):
    content: bytes
    media_type: str
    headers: dict[str, str]


@cache
def asset(path: str, *, small: bool) -> Asset:
    """The response for a path of PATHS, gzipped if `small`.

    Only embeddable files may be loaded by pages of other origins.
    """
    file = STATIC / PATHS[path]
    content = plain = file.read_bytes()
    if small:
        content = gzip.compress(plain, mtime=0)
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Origin, Accept-Encoding"}
    if small:
        headers["Content-Encoding"] = "gzip"
    if path in EMBEDDED:
        headers |= ANYWHERE
    if file.suffix == ".html":
        headers["Content-Security-Policy"] = policy(plain)
    return Asset(content, TYPES[file.suffix], headers)


def policy(page: bytes) -> str:
    """The Content-Security-Policy of a page. It allows only the inline styles in the page, by hash."""
    digests = (b64encode(sha256(style).digest()).decode() for style in STYLE.findall(page))
    return STRICT.format("".join(f" 'sha256-{digest}'" for digest in digests))


@get([*PATHS], include_in_schema=False, opt={"scope": OPEN})
async def get_page(
    request: AppRequest,
    accepted: Annotated[str, HeaderParameter(name="Accept-Encoding")] = "",
    etags: Annotated[str | None, HeaderParameter(name="If-None-Match")] = None,
) -> Response[bytes]:
    """A file, or 304 if the browser has it. Raises UnknownPath for `//`, which Litestar treats as `/`."""
    path = request.scope["path_template"]
    if request.scope["raw_path"].partition(b"?")[0] not in (path.encode(), b"/examples/"):
        raise UnknownPath
    file = asset(path, small=re.search(r"\bgzip\b(?! *; *q=0(?:\.0*)?(?:,|$))", accepted) is not None)
    same = matches(etags, file.headers["ETag"])
    return Response(
        b"" if same else file.content,
        status_code=304 if same else 200,
        headers=file.headers,
        media_type=file.media_type,
    )
