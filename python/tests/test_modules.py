"""The package's modules form no circle: each is read before those that use it."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "mpixcorr"


def _uses(path):
    """Modules of the package that this one imports, anywhere in its text."""
    folder = path.parent
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder if node.level == 1 else folder.parents[node.level - 2]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (base / f"{name}.py" for name in names)


def _circle(graph):
    """Modules that are left when those are taken away, again and again, which use none that is left."""
    left = dict(graph)
    while True:
        free = [name for name, uses in left.items() if not uses & set(left)]
        if not free:
            return sorted(left)
        for name in free:
            del left[name]


def test_no_circle():
    modules = {path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    graph = {path: set(_uses(path)) for path in modules}
    assert all(uses <= modules for uses in graph.values()) and sum(map(len, graph.values())) > 15
    assert not _circle(graph)


def test_a_circle_would_be_seen():
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]
