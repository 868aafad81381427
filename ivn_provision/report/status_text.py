"""How a site stands between runs, as text and as JSON."""

from __future__ import annotations

from typing import Any

from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.standing import Standing


def render_status(standing: Standing, paint: Paint) -> str:
    """The lines of one site."""
    lines = [*_leases(standing, paint), *_reverts(standing, paint), *_alarm(standing), *_runs(standing)]
    if not lines:
        return f"{safe(standing.site)}: nothing is pending."
    return "\n".join([paint(safe(standing.site), "bold"), *(f"  {line}" for line in lines)])


def _leases(standing: Standing, paint: Paint) -> list[str]:
    return [
        f"{target}: held by {safe(lease.owner)}, run {safe(lease.run)}, "
        + (paint("expired", "red") + f" {lease.expires_at}" if lease.expired else f"until {lease.expires_at}")
        for target, lease in standing.leases
    ]


def _reverts(standing: Standing, paint: Paint) -> list[str]:
    words = {
        "armed": "armed",
        "prepared": "what was there before is kept; it goes back only when asked",
        "reverted": "has put the earlier state back",
        "left": "put nothing back: somebody changed the files since",
        "failed": paint("failed", "red"),
    }
    return [
        f"revert {safe(each.id)}: {words.get(each.state, safe(each.state))}"
        + (f", due {each.due_at}" if each.state == "armed" else "")
        + (f" ({safe(each.detail)})" if each.detail else "")
        for each in standing.reverts
    ]


def _alarm(standing: Standing) -> list[str]:
    found = ["the portal says: armed"] if standing.armed else []
    return found + (
        [f"the portal says: open incident {safe(standing.incident)}"] if standing.incident else []
    )


def _runs(standing: Standing) -> list[str]:
    here = {f"{run}-{standing.site}" for run, _ in standing.runs}
    elsewhere = {lease.run: lease.owner for _, lease in standing.leases if lease.expired}
    return [
        *(f"run {run}: {word}. {_way_on(standing, run, word)}" for run, word in standing.runs),
        *(
            f"run {safe(name)} did not end: `ivn-provision resume {safe(name.removesuffix(f'-{standing.site}'))}` "
            f"where it was made ({safe(owner)})"
            for name, owner in elsewhere.items()
            if name not in here
        ),
    ]


def _way_on(standing: Standing, run: str, word: str) -> str:
    name = f"{run}-{standing.site}"
    fired = any(
        each.run == name and each.state in {"reverted", "left", "failed"} for each in standing.reverts
    )
    if word != "pending" or fired:
        return f"End it with `ivn-provision resume {run}`"
    if not any(lease.run == name for _, lease in standing.leases):
        return f"Nothing of it is held any more. End it with `ivn-provision resume {run}`"
    return (
        f"Keep it with `ivn-provision confirm {safe(standing.site)}`, "
        f"undo it with `ivn-provision resume {run} --revert`"
    )


def status_json(standing: Standing) -> dict[str, Any]:
    """The same for machines."""
    return {
        "site": standing.site,
        "pending": standing.is_pending,
        "leases": [
            {
                "target": target,
                "owner": lease.owner,
                "run": lease.run,
                "expires_at": lease.expires_at,
                "expired": lease.expired,
            }
            for target, lease in standing.leases
        ],
        "reverts": [
            {
                "id": each.id,
                "run": each.run,
                "state": each.state,
                "due_at": each.due_at,
                "detail": each.detail,
            }
            for each in standing.reverts
        ],
        "armed": standing.armed,
        "incident": standing.incident,
        "runs": [{"run": run, "standing": word} for run, word in standing.runs],
    }
