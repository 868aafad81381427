"""Who may ask a camera: the scheme that its policy wants on HTTP and on HTTPS (facts/axis.md, 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ivn_provision.lab.camera.accounts import Accounts
from ivn_provision.lab.camera.calls import Right, html
from ivn_provision.lab.camera.digest import Login, Nonces, basic, digest
from ivn_provision.lab.camera.mishaps import Mishaps
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.nvr.http_wire import HttpRequest, HttpResponse

_POLICY = "Network.HTTP.AuthenticationPolicy"
_QOP = "Network.HTTP.AuthenticationWithQop"


class Gate:
    """Asks the parameters at every request: a policy that is changed counts at once."""

    def __init__(
        self,
        params: Parameters,
        accounts: Accounts,
        mishaps: Mishaps,
        nonce_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._params, self._accounts, self._mishaps = params, accounts, mishaps
        self.nonces = Nonces(now, nonce_seconds)

    @property
    def realm(self) -> str:
        return f"AXIS_{self._params.get('Properties.System.SerialNumber')}"

    def scheme(self, *, tls: bool) -> str:
        """`basic` or `digest`."""
        policy = self._params.get(_POLICY).casefold()
        return "basic" if policy == "basic" or (policy == "recommended" and tls) else "digest"

    def login(self, request: HttpRequest, *, tls: bool) -> tuple[Login, Right]:
        """Who asks, and what he may."""
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        if kind.casefold() != self.scheme(tls=tls) or self._refusing():
            return Login(), Right.ANYONE
        passwords = {each.name: each.password for each in self._accounts.all.values()}
        if kind.casefold() == "basic":
            found = basic(rest.strip(), passwords)
        else:
            qop, once = self._params.get(_QOP) == "yes", self._mishaps.has("nonce-once")
            found = digest(rest, request, self.realm, passwords, self.nonces, qop=qop, once=once)
        return found, self._accounts.all[found.user].right if found.user else Right.ANYONE

    def challenge(self, *, tls: bool, stale: bool = False) -> HttpResponse:
        """A 401 with a page of HTML: never with SOAP."""
        page = html(401, "401 Unauthorized", "Your client does not have permission to get this URL.\n")
        if self.scheme(tls=tls) == "basic":
            said = f'Basic realm="{self.realm}"'
        else:
            said = f'Digest realm="{self.realm}", nonce="{self.nonces.new()}", algorithm=MD5'
            said += ', qop="auth"' if self._params.get(_QOP) == "yes" else ""
            said += ", stale=true" if stale else ""
        return replace(page, headers=[("WWW-Authenticate", said), *page.headers])

    def _refusing(self) -> bool:
        return self._mishaps.has("http-401") or self._mishaps.has("http-401-after-writes=N")
