"""The sentences that a module may say, read from its source: so that a test knows when a new one comes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

# Names of what holds patterns.
_PATTERNS = {"_NO_ANSWER", "_PLAIN_FILE", "_BREAKS", "asked", "ended", "progress"}
_WORDS = r"[A-Za-z']+ [A-Za-z']+ [A-Za-z']+"


def sentences_in(module: ModuleType) -> Iterator[tuple[str, ...]]:
    """Yield the pieces of each sentence around what is put into it, each of at least three words.

    What stands in a comment or a pattern, or is compared with, is none.
    """
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    passed = {
        inner for node in ast.walk(tree) for left_out in _no_sentences(node) for inner in ast.walk(left_out)
    }
    for node in ast.walk(tree):
        if node in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [one for one in node.values if isinstance(one, ast.Constant)]
            passed |= set(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = [node]
        else:
            continue
        texts = [piece for part in parts for piece in re.split(r"\{\w*\}", str(part.value))]
        pieces = tuple(piece.strip() for piece in texts if re.search(_WORDS, piece))
        if pieces:
            yield pieces


def _no_sentences(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.Call) and (
        ast.unparse(node.func).startswith("re.") or ast.unparse(node.func) == "_keys"
    ):
        yield from node.args
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
        # A pattern and its sentence.
        yield node.elts[0]
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in _PATTERNS:
        yield node.value
    elif isinstance(node, ast.Compare):
        yield node
