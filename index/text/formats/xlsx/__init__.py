"""XLSX: each row of a sheet a block, with the cells as they show.

Start with `workbook`, which writes the rows; `sheet` reads a sheet's cells, and `cell_formats` shows their numbers.
"""

from __future__ import annotations

from index.text.formats.xlsx.workbook import MEDIA_TYPE, extract

__all__ = ["MEDIA_TYPE", "extract"]
