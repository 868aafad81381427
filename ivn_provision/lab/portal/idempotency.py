"""`Idempotency-Key`: what was asked twice is done once, and a key is for one request."""

from __future__ import annotations

import hashlib
import re

from ivn_provision.lab.portal.calls import Call
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.store import Json, canonical

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,255}")


class Once:
    """One request with its key. Raises Problem where there is no usable key."""

    def __init__(self, call: Call, request: object) -> None:
        assert call.grant is not None
        self._store, self._client = call.core.store, call.grant.client
        self._key = call.request.headers.get("idempotency-key", "")
        if not _KEY.fullmatch(self._key):
            raise Problem("idempotency-key-required", "Send an Idempotency-Key of 1 to 255 plain characters.")
        self._request = hashlib.sha256(canonical(request).encode()).hexdigest()

    def before(self) -> Json | None:
        """The answer that was kept. Raises Problem `idempotency-key-reuse` if it was another request's."""
        kept = self._store.answer(self._client, self._key)
        if kept is not None and kept[0] != self._request:
            raise Problem("idempotency-key-reuse", "This key was sent with another request before.")
        return kept[1] if kept else None

    def keep(self, answer: Json) -> Json:
        """Remember the answer, and give it back."""
        self._store.keep_answer(self._client, self._key, self._request, answer)
        return answer
