"""PDFium's character functions, fast enough for thousands of calls.

pypdfium2's bindings create objects for each call. Here a character takes two calls with plain numbers and addresses in
numpy arrays, and properties of a text object are read once for all its characters.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Call = Callable[..., Any]
FONT_NAME = 128  # bytes of a font's name that are read


class Native(Struct, frozen=True):
    """PDFium functions with plain numbers; a `page` is the address of a text page."""

    unicode: Call  # (page, character) -> code
    loose_box: Call  # (page, character, address of 4 float32: left, top, right, bottom)
    origin: Call  # (page, character, address of x, address of y), float64
    owner: Call  # (page, character) -> address of the text object, None for a character that PDFium made up
    size: Call  # (page, character) -> font size before scaling
    matrix: Call  # (page, character, address of 6 float32)
    font: Call  # (text object) -> address of the font
    font_name: Call  # (font, address of a buffer, its length) -> bytes
    font_weight: Call  # (font) -> 400 for regular, -1 where it is not known
    font_flags: Call  # (font) -> bit 0: all characters have one width
    mode: Call  # (text object) -> 2 for characters that are filled and stroked


@cache
def native() -> Native:
    from pypdfium2 import raw

    address, number = ctypes.c_void_p, ctypes.c_int

    def function(name: str, result: type, *arguments: type) -> Call:
        # Unlike CFUNCTYPE this keeps the GIL: releasing it would take longer than the call.
        prototype = ctypes.PYFUNCTYPE(result, *arguments)
        return prototype(ctypes.cast(getattr(raw, name), address).value or 0)

    return Native(
        unicode=function("FPDFText_GetUnicode", ctypes.c_uint, address, number),
        loose_box=function("FPDFText_GetLooseCharBox", number, address, number, address),
        origin=function("FPDFText_GetCharOrigin", number, address, number, address, address),
        owner=function("FPDFText_GetTextObject", address, address, number),
        size=function("FPDFText_GetFontSize", ctypes.c_double, address, number),
        matrix=function("FPDFText_GetMatrix", number, address, number, address),
        font=function("FPDFTextObj_GetFont", address, address),
        font_name=function("FPDFFont_GetBaseFontName", ctypes.c_size_t, address, address, ctypes.c_size_t),
        font_weight=function("FPDFFont_GetWeight", number, address),
        font_flags=function("FPDFFont_GetFlags", number, address),
        mode=function("FPDFTextObj_GetTextRenderMode", number, address),
    )


def codes(page: int, count: int) -> NDArray[np.int64]:
    """What PDFium gives as the Unicode of each character."""
    return np.fromiter(map(native().unicode, repeat(page), range(count)), np.int64, count)


def loose_boxes(page: int, count: int) -> NDArray[np.float64]:
    """[count, 4] left, top, right, bottom in the coordinates of the page, y upwards.

    What PDFium made up, spaces and line ends, has a height and a width of nothing.
    """
    boxes = np.zeros((count, 4), np.float32)
    start = boxes.ctypes.data
    for _ in map(native().loose_box, repeat(page), range(count), range(start, start + 16 * count, 16)):
        pass
    return boxes.astype(np.float64)


def origins(page: int, characters: list[int]) -> NDArray[np.float64]:
    """[n, 2] x, y of the baseline's start, y upwards."""
    points = np.zeros((len(characters), 2), np.float64)
    start, stop = points.ctypes.data, points.ctypes.data + 16 * len(characters)
    for _ in map(native().origin, repeat(page), characters, range(start, stop, 16), range(start + 8, stop + 8, 16)):
        pass
    return points


def matrix(page: int, character: int) -> NDArray[np.float32]:
    """[6] a, b, c, d, e, f from the text's own coordinates to those of the page."""
    values = np.zeros(6, np.float32)
    native().matrix(page, character, values.ctypes.data)
    return values


def owners(page: int, characters: list[int]) -> list[int]:
    """The text object of each character.

    The characters of an object are consecutive. So if the first and the last of a stretch belong to the same object, so
    do all in between, which takes far fewer calls than one per character.
    """
    owner = native().owner
    result = [0] * len(characters)
    stretches = [(0, len(characters))] if characters else []
    while stretches:
        start, stop = stretches.pop()
        first, last = owner(page, characters[start]) or 0, owner(page, characters[stop - 1]) or 0
        if first == last:
            result[start:stop] = [first] * (stop - start)
        elif stop - start == 2:
            result[start], result[start + 1] = first, last
        else:
            middle = (start + stop) // 2
            stretches += [(start, middle), (middle, stop)]
    return result


def font_name(font: int) -> str:
    buffer = ctypes.create_string_buffer(FONT_NAME)
    native().font_name(font, ctypes.addressof(buffer), FONT_NAME)
    return buffer.value.decode("latin-1")
