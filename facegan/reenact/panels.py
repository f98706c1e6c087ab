"""The pictures of a frame side by side, with titles, and on what a network drew the mark that says so."""

from collections.abc import Sequence

import cv2
import numpy as np

from facegan.reenact.paste import Image, Paste
from facegan.reenact.source import Source

MARK = {True: "drawn by a network · synthetic", False: "drawn by a network"}
"""By whether the person is rendered; the words of the live page."""
WARPED_MARK = "warped, no network"
_TITLE, _GAP = 28, 4
_STRIP = 0.09
"""Height of the strip with the mark as a share of a picture's, as on the live page; at least `_LEAST_STRIP` pixels."""
_LEAST_STRIP = 14
_TEXT = 0.66
"""Size of a text as a share of its strip's height."""
_LEAST_TEXT = 6
_PAPER, _INK, _BAND, _LIGHT, _HELD = (250, 250, 250), (30, 30, 30), (34, 34, 34), (255, 255, 255), (150, 30, 30)


class Panels:
    """One row of columns: the source, the driving clip, and each drawn picture.

    `titles` are those of the drawn columns, `marks` the texts on them, '' for none. Pictures are `height` pixels high. With
    `paste` the drawn crops are put back into the source's picture; otherwise all columns show crops.
    """

    def __init__(
        self,
        source: Source,
        driving_shape: tuple[int, ...],
        titles: Sequence[str],
        marks: Sequence[str],
        height: int,
        paste: bool,
    ) -> None:
        self._marks = marks
        shape = source.picture.shape if paste else source.crop.image.shape
        self._driving = (_even(height * driving_shape[1] / driving_shape[0]) if paste else height, height)
        self._drawn = (_even(height * shape[1] / shape[0]), height)
        scale = height / source.picture.shape[0]
        self._shown = _fitted(source.picture if paste else source.crop.image, self._drawn)
        left, top, side = (value * scale for value in source.crop.box)
        self._back = Paste(self._shown, left, top, side, source.crop.image.shape[0]) if paste else None
        self._columns = [("source", self._drawn[0]), ("driving", self._driving[0]), *((t, self._drawn[0]) for t in titles)]
        self.width = sum(width for _, width in self._columns) + _GAP * (len(self._columns) - 1)
        self.height = height + _TITLE
        self._font = cv2.FontFace("sans")
        self._blank = self._titled()

    def picture(self, driving: Image, drawn: Sequence[Image]) -> Image:
        """[height, width, 3] RGB: the driving clip's picture, or its crop, and each column's drawn crop [size, size, 3]."""
        shown = [self._shown, _fitted(driving, self._driving)]
        for crop, mark in zip(drawn, self._marks, strict=True):
            whole = self._back.pasted(crop[None])[0] if self._back else _fitted(crop, self._drawn)
            if mark:
                self._write_band(whole, mark, _BAND)
            shown.append(whole)
        sheet, x = self._blank.copy(), 0
        for picture in shown:
            sheet[_TITLE:, x : x + picture.shape[1]] = picture
            x += picture.shape[1] + _GAP
        return sheet

    def held(self, picture: Image, reason: str) -> Image:
        """The last picture once more, with a strip on the driving clip's column that says why it is held."""
        again = picture.copy()
        x = self._drawn[0] + _GAP
        self._write_band(again[_TITLE:, x : x + self._driving[0]], f"held: {reason}", _HELD)
        return again

    def _titled(self) -> Image:
        sheet, x = np.full((self.height, self.width, 3), _PAPER, np.uint8), 0
        for title, width in self._columns:
            self._write(sheet[:_TITLE, x : x + width], title, _INK)
            x += width + _GAP
        return sheet

    def _write_band(self, picture: Image, text: str, colour: tuple[int, int, int]) -> None:
        """A strip with a text at the lower edge of a picture, which is changed."""
        strip = picture[-max(_LEAST_STRIP, round(_STRIP * picture.shape[0])) :]
        strip[:] = colour
        self._write(strip, text, _LIGHT)

    def _write(self, strip: Image, text: str, colour: tuple[int, int, int]) -> None:
        """Write a text into the middle of a strip, as large as it fits, and shortened where even the smallest does not."""
        height, width = strip.shape[:2]
        size = round(_TEXT * height)
        while size > _LEAST_TEXT and self._text_width(text, size) > width - 6:
            size -= 1
        while len(text) > 2 and self._text_width(text, size) > width - 6:
            text = text[:-2].rstrip() + "…"
        x = max(0, (width - self._text_width(text, size)) // 2)
        # OpenCV writes into memory without gaps only.
        canvas = np.ascontiguousarray(strip)
        cv2.putText(canvas, text, (x, round(height / 2 + 0.35 * size)), colour, self._font, size)
        strip[:] = canvas

    def _text_width(self, text: str, size: int) -> int:
        return int(cv2.getTextSize((0, 0), text, (0, 0), self._font, size)[2])


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    """An image at a size (width, height)."""
    how = cv2.INTER_AREA if size[1] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))
