"""Sites, devices and alarm inputs: how they are written and shown."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivn_provision.lab.clock import Clock, rfc3339
from ivn_provision.lab.portal.problems import Detail, Problem, not_found
from ivn_provision.lab.portal.store import Json, Spot, Store, Stored
from ivn_provision.lab.portal.vault import Vault

# facts/portal.md, 2.3: only these two have evidence; the behaviour is an assumption (2.2)
EVENT_TYPES: tuple[Json, ...] = (
    {"key": "entry_delay", "label": "Entry Delay", "behaviour": "starts_delay", "evidence": "manual"},
    {"key": "perimeter", "label": "Perimeter Alarm", "behaviour": "instant", "evidence": "manual"},
)


@dataclass(slots=True)
class SmtpSettings:
    """Where recorders send their mails. `usernames` maps a site to its login (default: the site's key)."""

    server: str
    port: int
    security: str
    usernames: Mapping[str, str]


@dataclass(slots=True)
class Objects:
    """Writes objects into the store. Preconditions were checked by the caller, in the same breath."""

    store: Store
    clock: Clock
    smtp: SmtpSettings
    vault: Vault

    def put_site(self, spot: Spot, content: Json) -> Stored:
        self._check_account(spot.site, content.get("monitoring"))
        return self._put(spot, content, {})

    def put_device(self, spot: Spot, content: Json) -> Stored:
        if self.store.get(Spot("site", spot.site)) is None:
            raise not_found(f"site {spot.site}")
        old = self.store.get(spot)
        generated = dict(old.generated) if old else {"smtp": self._new_smtp(spot), "password": None}
        content = dict(content)
        password = content.pop("password", None)
        if password is not None:
            self.vault.keep(spot.site, spot.device, password)
        if password is not None and not _is_password(generated["password"], password):
            generated["password"] = _fingerprint(password) | {"set_at": rfc3339(self.clock())}
        return self._put(spot, content, generated)

    def put_alarm_input(self, spot: Spot, content: Json) -> Stored:
        if self.store.get(Spot("device", spot.site, spot.device)) is None:
            raise not_found(f"device {spot.device} of site {spot.site}")
        return self._put(spot, content, {})

    def refresh_smtp(self) -> None:
        """The mail server may listen elsewhere than at the last start. Account ids stay."""
        for device in self.store.all("device"):
            smtp = self._new_smtp(device.path) | {"account_id": device.generated["smtp"]["account_id"]}
            if smtp != device.generated["smtp"]:
                self.store.put(replace(device, generated=device.generated | {"smtp": smtp}))

    def _put(self, spot: Spot, content: Json, generated: Json) -> Stored:
        """What changes nothing keeps revision, time and ETag."""
        old = self.store.get(spot)
        if old is not None and (old.content, old.generated) == (content, generated):
            return old
        now = rfc3339(self.clock())
        new = Stored(spot, content, 1, now, generated)
        if old is not None:
            new = replace(new, revision=old.revision + 1, volatile=old.volatile)
        self.store.put(new)
        return new

    def _check_account(self, site: str, monitoring: Mapping[str, str] | None) -> None:
        """One account per site of a station, else signals cross (facts/portal.md, row 37)."""
        if monitoring is None:
            return
        for other in self.store.all("site"):
            if other.path.site != site and other.content.get("monitoring") == monitoring:
                account = f"{monitoring['station']} {monitoring['account_number']}"
                detail = Detail(
                    "/monitoring/account_number", "account-number-in-use", f"used by {other.path.site}"
                )
                raise Problem(
                    "account-number-in-use", f"{account} belongs to site {other.path.site}.", errors=[detail]
                )

    def _new_smtp(self, spot: Spot) -> Json:
        """The shape of the account id is the manual's (R-41); the domain is reserved for examples."""
        return {
            "account_id": f"milestone-xp-p-{secrets.token_hex(4)}@ivnview.example",
            "server": self.smtp.server,
            "port": self.smtp.port,
            "security": self.smtp.security,
            "username": self.smtp.usernames.get(spot.site, spot.site),
        }


def show_site(stored: Stored, devices: list[Json] | None = None) -> Json:
    """What the portal keeps of it; `devices` only where they were asked for."""
    shown = {"key": stored.path.site, **stored.content, **_trailer(stored)}
    return shown if devices is None else {**shown, "devices": devices}


def show_device(stored: Stored, inputs: list[Json] | None = None) -> Json:
    """As the API shows it: the password only as time and fingerprint."""
    password = stored.generated["password"]
    shown = {
        "key": stored.path.device,
        **stored.content,
        "password_set_at": password and password["set_at"],
        "password_fingerprint": password and {"salt": password["salt"], "digest": password["digest"]},
        "smtp": stored.generated["smtp"],
        "health": "unknown",
        **_trailer(stored),
    }
    return shown if inputs is None else {**shown, "alarm_inputs": inputs}


def show_alarm_input(stored: Stored) -> Json:
    """As the API shows it; soft ones with their payload (R-63)."""
    shown = {"pin": stored.path.pin, "source": stored.path.source, **stored.content}
    if stored.path.source == "soft":
        shown |= {
            "payload": f"{stored.path.pin} S",
            "last_fired_at": stored.volatile.get("last_fired_at"),
            "last_result": stored.volatile.get("last_result"),
        }
    return {**shown, **_trailer(stored)}


def _trailer(stored: Stored) -> Json:
    return {"revision": stored.revision, "updated_at": stored.updated_at, "etag": stored.etag}


def _fingerprint(password: str, salt: str = "") -> Json:
    salt = salt or secrets.token_hex(16)
    digest = hmac.new(salt.encode(), password.encode(), hashlib.sha256).hexdigest()
    return {"salt": salt, "digest": digest}


def _is_password(kept: Json | None, password: str) -> bool:
    return kept is not None and hmac.compare_digest(
        str(_fingerprint(password, kept["salt"])["digest"]), str(kept["digest"])
    )
