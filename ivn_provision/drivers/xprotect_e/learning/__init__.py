"""Learn mode: a person makes named changes in the Management Application, the tool finds where they went.

Pure but for `remote` (reads through the agent) and `session` (leads the person through the passes).
"""
