"""PPTX: slide by slide, what they show and what the speaker's notes say.

Start with `presentation`, which writes the slides; `shapes` says what is on one.
"""

from __future__ import annotations

from index.text.formats.pptx.presentation import MEDIA_TYPE, extract

__all__ = ["MEDIA_TYPE", "extract"]
