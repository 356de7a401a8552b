"""The private packages of this app: `python -m private_packages --help` says what it does.

Plain Python: the standard library, Git, and uv where something is resolved or installed. Its files come
with the template and are the template's: `python -m private_packages status` says when one was edited.
"""
