"""Numbers of a command line that are really numbers: `nan` passes every range of click's."""

from __future__ import annotations

import math
from typing import Any

import click


class RealRange(click.FloatRange):
    """A number within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number
