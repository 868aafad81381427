"""What checks found, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ivn_provision.verify.result import Result


def checks_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One object for each result, in the order of the checks."""
    return [
        {
            "site": each.site,
            "check": each.check,
            "title": each.title,
            "target": each.target,
            "refs": list(each.refs),
            "state": each.state.value,
            "subject": each.found.subject,
            "evidence": each.found.evidence,
            "remedy": each.found.remedy,
        }
        for each in results
    ]
