"""`If-Match` and `If-None-Match` (RFC 9110, 13.1) as the contract uses them: `*` or one strong tag."""

from __future__ import annotations

from ivn_provision.lab.portal.problems import Detail, Problem, not_found
from ivn_provision.lab.portal.store import Stored


def check_put(stored: Stored | None, if_match: str | None, if_none_match: str | None, what: str) -> None:
    """May this PUT go on? Raises Problem 412 or 428; 422 for an `If-None-Match` other than `*`."""
    if if_none_match is not None and if_none_match.strip() != "*":
        raise _bad_header("If-None-Match", "If-None-Match is * here")
    if stored is None:
        if if_match is not None:
            raise Problem("etag-mismatch", f"{what} does not exist (any more).")
        return
    if if_none_match is not None:
        raise Problem("already-exists", f"{what} exists already.", headers={"ETag": stored.etag})
    _match(stored, if_match, what)


def check_delete(stored: Stored | None, if_match: str | None, what: str) -> Stored:
    """The object to delete. Raises Problem 404, 412 or 428."""
    if stored is None:
        raise not_found(what)
    _match(stored, if_match, what)
    return stored


def _match(stored: Stored, if_match: str | None, what: str) -> None:
    if if_match is None:
        raise Problem("precondition-required", f"{what} exists: send If-Match with the ETag that was read.")
    # what is not an ETag of ours matches nothing
    if if_match.strip() not in {"*", stored.etag}:
        raise Problem(
            "etag-mismatch", f"{what} has changed since it was read.", headers={"ETag": stored.etag}
        )


def _bad_header(name: str, message: str) -> Problem:
    return Problem("validation", message + ".", errors=[Detail("", "parameter", message, parameter=name)])
