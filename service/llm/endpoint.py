"""A client for chat completions with hard limits on time and size.

It runs in an event loop of its own, because only a cancelled task keeps a deadline whatever the server does: a socket
timeout restarts with every byte.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import wait
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec
from anyio.from_thread import start_blocking_portal
from msgspec import Struct

from service.errors import NoChoice
from service.scheduling.deadline import Deadline

MOST_BYTES = 256 * 1024  # of a reply, including the JSON around its text
REPLY_TOKENS = 64  # numbers need no more
LISTEN_S = 0.1  # interval of the check whether the client is still connected
CHAT = "/chat/completions"
OK = 200


class Message(Struct, frozen=True):
    content: str


class Choice(Struct, frozen=True):
    message: Message


class Completion(Struct, frozen=True):
    choices: list[Choice]


class Endpoint:
    """A thread-safe client. `key` is sent as a bearer token and appears nowhere else."""

    def __init__(self, url: str, model: str, *, key: str | None = None) -> None:
        self.model = model
        self._url = chat_address(url)
        identity = {"Accept-Encoding": "identity"}  # compression is off, which prevents decompression bombs
        headers = identity | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.AsyncClient(headers=headers, timeout=None, follow_redirects=False)  # noqa: S113  # see _within
        self._exit = ExitStack()
        self._portal = self._exit.enter_context(start_blocking_portal())

    def reply(self, messages: list[dict[str, str]], seconds: float, deadline: Deadline) -> str:
        """The text of the reply to a chat within `seconds`. Raises NoChoice or HungUp."""
        asking = self._portal.start_task_soon(self._within, seconds, messages)
        while not wait([asking], LISTEN_S).done:
            if deadline.hung_up:
                asking.cancel()
                deadline.raise_if_hung_up()
        return asking.result()

    def close(self) -> None:
        self._portal.call(self._http.aclose)
        self._exit.close()

    async def _within(self, seconds: float, messages: list[dict[str, str]]) -> str:
        try:
            async with asyncio.timeout(seconds):
                return text_of(await self._sent(messages))
        except TimeoutError as error:
            raise NoChoice(reason="timeout") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NoChoice(reason="unreachable") from error

    async def _sent(self, messages: list[dict[str, str]]) -> bytes:
        payload = {
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "seed": 0,
            "max_tokens": REPLY_TOKENS,
            "stream": False,
        }
        body = bytearray()
        async with self._http.stream("POST", self._url, json=payload) as response:
            if response.status_code != OK:
                raise NoChoice(reason="status")
            async for part in response.aiter_raw():
                body += part
                if len(body) > MOST_BYTES:
                    raise NoChoice(reason="too-large")
        return bytes(body)


def chat_address(url: str) -> str:
    """The URL for chats, from what vendors call the base URL.

    >>> chat_address("http://127.0.0.1:8080"), chat_address("https://example.com/api/v1/")
    ('http://127.0.0.1:8080/v1/chat/completions', 'https://example.com/api/v1/chat/completions')
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit(parts._replace(path=path if path.endswith(CHAT) else path + CHAT))


def text_of(body: bytes) -> str:
    """The text of the first choice. Raises NoChoice if the body is not a chat completion."""
    try:
        choices = msgspec.json.decode(body, type=Completion).choices
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoChoice(reason="malformed") from error
    if not choices:
        raise NoChoice(reason="malformed")
    return choices[0].message.content
