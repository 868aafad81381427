"""A secret reference -> its value, just before a target is spoken to."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ivn_provision.errors import SecretError
from ivn_provision.secret import Secret, SecretRef

MAX_BYTES = 64 * 1024


def resolve(ref: SecretRef, env: Mapping[str, str]) -> Secret:
    """The value of `ref`. Raises SecretError, which names the reference and the next step, never a value."""
    if ref.scheme == "env":
        return Secret(_from_env(ref, env), ref)
    if ref.scheme == "file":
        return Secret(_from_file(ref), ref)
    if ref.scheme == "keyring":
        return Secret(_from_keyring(ref), ref)
    raise SecretError(f"{ref}: unknown scheme", next_step="Use env:, file: or keyring:.")


def _from_env(ref: SecretRef, env: Mapping[str, str]) -> str:
    value = env.get(ref.name)
    if value is None:
        raise SecretError(
            f"{ref}: the environment variable is not set", next_step=f"Set {ref.name} and run again."
        )
    if not value:
        raise SecretError(
            f"{ref}: the environment variable is empty", next_step=f"Set {ref.name} to the password."
        )
    return value


def _from_file(ref: SecretRef) -> str:
    path = os.path.normpath(os.path.join(ref.base, os.path.expanduser(ref.name)))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "its name is not valid"
        raise SecretError(
            f"{ref}: cannot read {path}: {reason}", next_step="Create the file, readable by you alone."
        ) from None
    return _text(ref, path, content or b"")


def _text(ref: SecretRef, path: str, content: bytes) -> str:
    """One line end is dropped: editors add it."""
    if len(content) > MAX_BYTES:
        raise SecretError(
            f"{ref}: {path} is over 64 KiB", next_step="Name the file that holds only the password."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretError(f"{ref}: {path} is not UTF-8 text", next_step="Save the file as UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretError(f"{ref}: {path} is empty", next_step="Write the password into it.")
    return text


def _from_keyring(ref: SecretRef) -> str:
    import keyring
    import keyring.errors

    service, _, user = ref.name.partition("/")
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.NoKeyringError:
        raise SecretError(
            f"{ref}: this machine has no keyring, as is usual without a desktop",
            next_step="Use `!secret env:NAME` or `!secret file:PATH` here, or install a keyring backend.",
        ) from None
    except keyring.errors.KeyringError as problem:
        raise SecretError(
            f"{ref}: the keyring cannot be read ({type(problem).__name__})",
            next_step="Unlock the keyring and run again.",
        ) from None
    if not value:
        raise SecretError(
            f"{ref}: the keyring has no such entry", next_step=f"Run `keyring set {service} {user}`."
        )
    return str(value)
