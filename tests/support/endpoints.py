"""Misbehaviour of a language model's endpoint, for the scripted endpoint."""

from __future__ import annotations

import socket
import time
from http.server import BaseHTTPRequestHandler


def dripping(handler: BaseHTTPRequestHandler, text: str) -> None:
    """Send a byte now and then, from the headers on, so that no socket timeout fires."""
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
    """Send nothing until the client disconnects."""
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
