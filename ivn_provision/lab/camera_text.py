"""The `axis:` section of a camera in the lab's site files, written as text."""

from __future__ import annotations

from ivn_provision.lab.scenario import LabCamera, LabSite

_AXIS = """\
    axis:
      connect:
        host: {host}
        port: {port}
        tls: {tls}
        username: {username}
        password: !secret "file:{secrets}/{key}-camera-{number}"
      smtp:
        sender: camera-{number}@{key}.example
        host: {mail_host}
        port: {mail_port}
        security: starttls
        username: {mail_username}
        password: !secret "file:{secrets}/{key}-smtp"
      recipients:
        - {{name: Guard desk, addresses: [guard@{key}.example]}}
      action_rules:
        - name: Input 1
          trigger: {{input: 1, active: true}}
          conditions: [{{input: 1, active: true}}]
          send_mail: {{recipient: Guard desk, subject: "Input 1 of {key}", message: "%F %T: input 1 is active"}}
"""


def axis_text(
    site: LabSite, number: int, camera: LabCamera, common: dict[str, str], mail: tuple[str, int]
) -> str:
    """The section, indented for a camera's item; "" for a camera that the lab does not play.

    Its rule mails the guard desk and not the portal, which hears of the input from the recorder.
    `common` holds `ca_file` and `secrets` as they stand in the file. The old profile is reached over HTTP, as
    such cameras often must be.
    """
    if not camera.axis:
        return ""
    plain = camera.axis.startswith("5.")
    return _AXIS.format(
        key=site.key,
        number=number,
        host=camera.axis_host or site.host,
        port=camera.axis_http_port if plain else camera.axis_https_port,
        tls='"off"' if plain else f'{{ca: "{common["ca_file"]}"}}',
        username=camera.axis_username,
        secrets=common["secrets"],
        mail_host=mail[0],
        mail_port=mail[1],
        mail_username=site.mail_username or site.key,
    )
