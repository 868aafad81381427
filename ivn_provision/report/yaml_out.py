"""Plain data as YAML that site files take: block style, `!secret` for references, the order as given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ivn_provision.secret import SecretRef


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as site files have it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _secret(dumper: yaml.SafeDumper, value: SecretRef) -> yaml.ScalarNode:
    return dumper.represent_scalar("!secret", f"{value.scheme}:{value.name}")


_Dumper.add_representer(SecretRef, _secret)


def yaml_text(data: Mapping[str, Any]) -> str:
    """The text, with a newline at its end."""
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )
