"""What a saved plan says of itself, as text."""

from __future__ import annotations

from ivn_provision.report.paint import safe
from ivn_provision.run.plan_about import About

_HASH = 12


def render_about(about: About) -> str:
    """Id, when it was made and until when it may be applied, and from what."""
    return "\n".join(
        [
            f"Saved plan {safe(about.id)}",
            f"  made      {safe(about.created)} by version {safe(about.tool_version)}",
            f"  expires   {safe(about.expires)}",
            f"  revision  {_revision(about)}",
        ]
    )


def _revision(about: About) -> str:
    if not about.revision:
        return "none: the site files are in no git repository"
    return safe(about.revision[:_HASH]) + (", and site files that differ from it" if about.dirty else "")
