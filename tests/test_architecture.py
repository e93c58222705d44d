"""The layout of section 1 of the design, read from the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from app.config import PROJECT

MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in [*(PROJECT / "app").rglob("*.py"), PROJECT / "wsgi.py"]
}

# What modules of each kind may import of app. The first prefix that fits decides.
MAY_IMPORT = {
    "app.errors": (),
    "app.config": ("app.errors",),
    "app.store": ("app.store", "app.errors"),
    "app.meters": (),
    "app.recognition": ("app.recognition", "app.meters", "app.errors"),
    "app.labelling": ("app.labelling", "app.store", "app.recognition", "app.meters", "app.config", "app.errors"),
    "app.logs": ("app.config",),
    "app.tracing": ("app.meters",),
    "app.metrics": ("app.labelling", "app.meters", "app.config"),
    "app.operations": (
        "app.operations",
        "app.jobs",
        "app.labelling",
        "app.recognition",
        "app.store",
        "app.config",
        "app.errors",
    ),
    "app.sample": ("app.config", "app.errors"),
    "app.access": ("app.access", "app.store", "app.config", "app.errors"),
    "app.jobs": ("app.labelling", "app.access.secret", "app.store.author", "app.logs", "app.config", "app.errors"),
    "app.http": ("app.jobs", "app.labelling", "app.config", "app.errors"),
    "app.incoming": ("app.http", "app.labelling", "app.errors"),
    "app.security": ("app.security", "app.access", "app.store.author", "app.http", "app.errors"),
    "app.cli": (
        "app.cli",
        "app.access.policy",
        "app.security.gate",
        "app.operations",
        "app.labelling",
        "app.recognition",
        "app.store",
        "app.http",
        "app.sample",
        "app.config",
        "app.errors",
    ),
    "app.views": (
        "app.labelling",
        "app.security",
        "app.http",
        "app.metrics",
        "app.operations",
        "app.config",
        "app.errors",
    ),
    "app": ("app",),
    "wsgi": ("app",),
}
WEB = ("flask", "flask_wtf", "werkzeug", "jinja2", "click", "huey", "gunicorn")


def imports(name: str) -> set[str]:
    """The full names of what a module imports, wherever in it: `from app import x` is app.x when that is a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
    return found


def below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_run_one_way(name: str) -> None:
    kind = next(prefix for prefix in MAY_IMPORT if below(name, prefix))
    own = {module for module in imports(name) if below(module, "app")}
    assert {module for module in own if not below(module, *MAY_IMPORT[kind])} == set()


@pytest.mark.parametrize(
    "name", [n for n in sorted(MODULES) if below(n, "app.labelling", "app.store", "app.recognition")]
)
def test_the_inside_knows_nothing_of_the_web(name: str) -> None:
    assert {module for module in imports(name) if below(module, *WEB)} == set()


@pytest.mark.parametrize("name", [n for n in sorted(MODULES) if below(n, "app.access")])
def test_the_door_knows_nothing_of_requests(name: str) -> None:
    assert {module for module in imports(name) if below(module, *WEB) and module != "werkzeug.security"} == set()


# Loading any of these takes a while, and each can be missing where another engine serves.
TOUCHED_BY = {
    "dlib": {"hog", "chips", "verification"},
    "face_recognition": {"dlib_engine"},
    "onnx": {"onnx_graphs"},
    "onnxruntime": {"onnx_models", "onnx_detector"},
}


@pytest.mark.parametrize(("library", "modules"), TOUCHED_BY.items())
def test_only_the_engines_touch_what_runs_the_networks(library: str, modules: set[str]) -> None:
    touching = {name for name in MODULES if any(below(module, library) for module in imports(name))}
    assert touching == {f"app.recognition.{name}" for name in modules}


SPEAKING_SQL = ("app.store", "app.labelling", "app.access", "app.http")


@pytest.mark.parametrize("name", [n for n in sorted(MODULES) if not below(n, *SPEAKING_SQL)])
def test_only_the_store_and_the_use_cases_speak_sql(name: str) -> None:
    assert {module for module in imports(name) if below(module, "sqlalchemy", "sqlite3")} == set()


@pytest.mark.parametrize("name", [n for n in sorted(MODULES) if below(n, "app.recognition")])
def test_recognition_moves_no_files(name: str) -> None:
    assert {module for module in imports(name) if below(module, "shutil", "tempfile")} == set()


@pytest.mark.parametrize(
    "name", [n for n in sorted(MODULES) if below(n, "app.views", "app.cli", "app.jobs", "app.http", "app.incoming")]
)
def test_only_use_cases_open_a_write_transaction(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    opened = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert opened & {"changing", "database"} == set()


LIMITS = [
    *((path, 400) for path in sorted(MODULES.values())),
    *((path, 80) for path in sorted((PROJECT / "templates").rglob("*.html"))),
    *((path, 120) for path in sorted((PROJECT / "static").rglob("*.js"))),
]


@pytest.mark.parametrize(("path", "limit"), LIMITS, ids=lambda value: getattr(value, "name", str(value)))
def test_files_stay_short(path: Path, limit: int) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= limit


@pytest.mark.parametrize("path", sorted((PROJECT / "app/views").glob("*.py")), ids=lambda path: path.name)
def test_views_parse_call_and_respond(path: Path) -> None:
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    long = [node.name for node in functions if node.end_lineno and node.end_lineno - node.lineno >= 25]
    assert long == []
