"""Accounts: the portal's login on the recorder, its rights, its password."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.secret import SecretRef
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import User


@rule(
    "IVN065",
    "portal-user-exists",
    Severity.ERROR,
    title="The portal's device user is an account of the recorder",
    requirements=("R-37", "R-74", "portal row 21"),
)
def portal_user_exists(context: Context) -> Iterator[Finding]:
    """The portal logs in on the recorder for clips and live view. Checked where the site declares `nvr.users`."""
    if not context.device or context.device.username is None:
        return
    if not context.nvr or context.nvr.users is None or _portal_user(context):
        return
    names = ", ".join(show(each.name) for each in context.users[:8])
    yield Finding(
        f"{context.device.pointer}/username",
        f"the recorder has no user {show(context.device.username)}",
        f"declared users: {names}" if names else "declare it under nvr.users",
    )


@rule(
    "IVN066",
    "portal-user-password",
    Severity.ERROR,
    title="The portal's device password and the recorder's are one secret reference",
    requirements=("R-36", "R-37", "C-20", "portal row 21"),
)
def portal_user_password(context: Context) -> Iterator[Finding]:
    """Two references can drift apart; with one, a changed password reaches both sides in one run."""
    user = _portal_user(context)
    if not user or not context.device or not user.password or not context.device.password:
        return
    if _identity(user.password) != _identity(context.device.password):
        yield Finding(
            f"{context.device.pointer}/password",
            f"{_shown(context.device.password)} is not the reference of the recorder's user,"
            f" which is {_shown(user.password)}",
            f"write {_shown(user.password)}",
            ((f"{user.pointer}/password", "the recorder's user"),),
        )


@rule(
    "IVN067",
    "portal-user-rights",
    Severity.WARNING,
    title="Whether the portal's user is an administrator is written out",
    requirements=("R-33", "R-37", "C-04"),
)
def portal_user_rights(context: Context) -> Iterator[Finding]:
    """The manual asks for an administrator in one place and for four rights in another (C-04).

    `true` follows the manual's step 3; `false` leaves Live, Events, Playback and Export to be set by hand.
    """
    user = _portal_user(context)
    if user and user.administrator is None:
        yield Finding(
            user.pointer,
            f"the rights of {show(user.name)} are not declared",
            "write administrator: true, or false if it has Live, Events, Playback and AVI/JPEG Export",
        )


@rule(
    "IVN068",
    "administrator-needed",
    Severity.WARNING,
    title="Only the portal's user is an administrator",
    requirements=("R-33", "C-04", "portal row 22"),
)
def administrator_needed(context: Context) -> Iterator[Finding]:
    """Nothing in the manual needs a second administrator. Checked where the portal's user is declared."""
    if not context.device or context.device.username is None:
        return
    for user in context.users:
        if user.administrator and user is not _portal_user(context):
            yield Finding(
                f"{user.pointer}/administrator",
                f"{show(user.name)} is an administrator, though the portal does not log in with it",
                "write administrator: false, unless a person needs it",
            )


@rule(
    "IVN069",
    "password-shared",
    Severity.WARNING,
    title="Every account has a password of its own",
    requirements=("R-33",),
)
def password_shared(context: Context) -> Iterator[Finding]:
    """The portal's account needs a unique password: whoever knows a shared one can log in as the portal.

    Compared are the references, never the values.
    """
    seen: dict[tuple[str, str, str], str] = {}
    for pointer, password in _passwords(context):
        first = seen.setdefault(_identity(password), pointer)
        if first != pointer:
            yield Finding(
                pointer,
                f"{_shown(password)} is used by two accounts",
                "give each account a secret of its own",
                ((first, "first used here"),),
            )


@rule(
    "IVN078",
    "user-name-unique",
    Severity.ERROR,
    title="A user's name is used once per recorder",
    requirements=("R-33",),
)
def user_name_unique(context: Context) -> Iterator[Finding]:
    """The name is the login. Whether the product tells letter case apart is not known; here it is ignored."""
    seen: dict[str, User] = {}
    for user in context.users:
        first = seen.setdefault(user.name.casefold(), user)
        if first is not user:
            yield Finding(
                f"{user.pointer}/name",
                f"two users are named {show(user.name)}",
                "give each user a name of its own",
                ((f"{first.pointer}/name", "first used here"),),
            )


def _portal_user(context: Context) -> User | None:
    name = context.device.username if context.device else None
    return next((each for each in context.users if each.name == name), None)


def _identity(reference: SecretRef) -> tuple[str, str, str]:
    """`base` counts for files only: it is the folder that a relative path starts from."""
    return reference.scheme, reference.name, reference.base if reference.scheme == "file" else ""


def _shown(reference: SecretRef) -> str:
    text = str(reference)
    return text if text.isprintable() and len(text) <= 120 else show(text)


def _passwords(context: Context) -> Iterator[tuple[str, SecretRef]]:
    if context.nvr and context.nvr.connect.password:
        yield f"{context.nvr.connect.pointer}/password", context.nvr.connect.password
    for user in context.users:
        if user.password:
            yield f"{user.pointer}/password", user.password
    server = context.mail.server
    if server and server.password:
        yield f"{server.pointer}/password", server.password
