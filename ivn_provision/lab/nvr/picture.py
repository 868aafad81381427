"""The picture of a lab camera: drawn anew each time, with its number, name, site and local time on it.

The JPEG's comment segment says the same as JSON (`camera`, `name`, `site`, `time`), for tests.
"""

from __future__ import annotations

import colorsys
import io
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from PIL import Image, ImageDraw, ImageFont

SIZE = (320, 180)
_NUMBERED = re.compile(r"([1-9][0-9]{0,2}) ", re.ASCII)
_QUALITY = 75


@dataclass(frozen=True, slots=True)
class View:
    """What a camera sees: itself. `at` is the machine's local time with its zone."""

    name: str
    site: str
    at: datetime

    @property
    def number(self) -> int | None:
        """The number that the camera's name begins with."""
        found = _NUMBERED.match(self.name)
        return int(found[1]) if found else None

    @property
    def comment(self) -> bytes:
        """For the JPEG's comment segment."""
        time = self.at.isoformat(timespec="milliseconds")
        said = {"camera": self.number, "name": self.name[:100], "site": self.site, "time": time}
        return json.dumps(said).encode("ascii")


def draw(view: View) -> bytes:
    """The whole JPEG, some 5 KB. Takes milliseconds: not for the loop's own thread."""
    image = Image.new("RGB", SIZE, _colour(view.number or 0))
    pen = ImageDraw.Draw(image)
    number = "?" if view.number is None else str(view.number)
    pen.text((12, 6), number, "white", ImageFont.load_default(72))
    pen.text((12, 92), _plain(view.name)[:40], "white", ImageFont.load_default(18))
    pen.text((12, 118), f"{view.site}  (lab)"[:44], "white", ImageFont.load_default(14))
    pen.text((12, 146), f"{view.at:%Y-%m-%d %H:%M:%S %z}", "white", ImageFont.load_default(18))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY, comment=view.comment)
    return content.getvalue()


def _plain(text: str) -> str:
    """In the letters that Pillow's own font has: ASCII."""
    plain = unicodedata.normalize("NFKD", text.replace("\N{EN DASH}", "-"))
    return plain.encode("ascii", "ignore").decode("ascii")


def _colour(number: int) -> tuple[int, int, int]:
    """Dark, and another one for each of the neighbouring numbers."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.7, 0.45)
    return int(red * 255), int(green * 255), int(blue * 255)
