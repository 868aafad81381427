"""`root.SMTP` of old firmware: written once in an apply, for what its mail template has no parameter for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.axis import params
from ivn_provision.drivers.axis.forms import Form
from ivn_provision.drivers.axis.params import Params, check_updated, update_form
from ivn_provision.drivers.axis.smtp import PASSWORD, has_page, page_fields, page_pairs
from ivn_provision.model.resource import UNSET, Value
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import VapixLink


@dataclass(slots=True)
class MailPage:
    """All rules and recipients of a camera share it. `touched`: something was set since that was last put to false."""

    link: VapixLink
    known: Params
    written: dict[str, str] = field(default_factory=dict, init=False)
    touched: bool = field(default=False, init=False)
    _password: Secret | None = field(default=None, init=False, repr=False)

    @property
    def exists(self) -> bool:
        return has_page(self.known)

    def write(self, fields: Mapping[str, Value]) -> None:
        """What differs of `smtp.*`, and the password. Raises TargetError."""
        if not self.exists or not fields:
            return
        present = {name: value for name, value in page_fields(self.known).items() if value != UNSET}
        wanted = page_pairs({**present, **fields})
        now = {name: self.written.get(name, self.known.text(name)) for name in wanted}
        pairs = [(name, value) for name, value in wanted.items() if now[name] != value]
        if pairs:
            check_updated(self.link.ask(update_form(pairs).post(params.PATH)), pairs)
            self.written.update(pairs)
            self.touched = True
        self._write_password(fields.get("smtp.password"))

    def _write_password(self, password: Value) -> None:
        if not isinstance(password, Secret) or password == self._password:
            return
        form = Form((("action", "update"), (f"root.{PASSWORD}", password)))
        check_updated(self.link.ask(form.post(params.PATH)), [(PASSWORD, "")], form.secrets)
        self._password, self.touched = password, True
