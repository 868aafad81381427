"""Plain data as YAML that site files take: block style, `!secret` for references, the order as given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ivn_provision.secret import SecretRef
from ivn_provision.spec.scalars import resolve_plain


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as site files have it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _secret(dumper: yaml.SafeDumper, value: SecretRef) -> yaml.ScalarNode:
    return dumper.represent_scalar("!secret", f"{value.scheme}:{value.name}")


def _quoted(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """In quotes where site files, which are YAML 1.2, read it as no text; the library knows YAML 1.1 only."""
    misread = "\n" not in value and value != "" and resolve_plain(value) != value
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'" if misread else None)


_Dumper.add_representer(SecretRef, _secret)
_Dumper.add_representer(str, _quoted)


def yaml_text(data: Mapping[str, Any]) -> str:
    """The text, with a newline at its end. Letters of all scripts stand as they are, unless something in it could
    deceive its reader (marks that turn the direction of text): then all beyond ASCII is an escape."""
    text = _dumped(data, plain=True)
    return text if text.replace("\n", "").isprintable() else _dumped(data, plain=False)


def _dumped(data: Mapping[str, Any], *, plain: bool) -> str:
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=plain, width=110, default_flow_style=False
    )
