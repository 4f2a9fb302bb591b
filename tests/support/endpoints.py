"""What the endpoint of a language model may do besides answering well: manners of the scripted endpoint."""

from __future__ import annotations

import socket
import time
from http.server import BaseHTTPRequestHandler


def dripping(handler: BaseHTTPRequestHandler, text: str) -> None:
    """A byte now and then, in the head already: no time-out of a socket ever comes."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 10_000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def dripping_body(handler: BaseHTTPRequestHandler, text: str) -> None:
    handler.send_response(200)
    handler.end_headers()
    for byte in b" " * 10_000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def silent(handler: BaseHTTPRequestHandler, text: str) -> None:
    """Nothing, until the other side hangs up."""
    handler.connection.recv(1)


def endless(handler: BaseHTTPRequestHandler, text: str) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65_536)


def broken_off(handler: BaseHTTPRequestHandler, text: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.connection.shutdown(socket.SHUT_RDWR)


def hung_up(handler: BaseHTTPRequestHandler, text: str) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def no_http(handler: BaseHTTPRequestHandler, text: str) -> None:
    handler.wfile.write(b"220 smtp.example ESMTP\r\n")
    handler.connection.shutdown(socket.SHUT_RDWR)
