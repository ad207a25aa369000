# SPDX-License-Identifier: Apache-2.0
"""Who may import what: domain modules are pure, only `store` touches SQL, `__main__` constructs.

The borders between whole packages are import-linter's (pyproject.toml); here stand the roles of the
modules inside them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MESSAGES = ("grpc", "grpc_health", "grpc_reflection", "grpc_status", "google", "qupia")
DATABASE = ("sqlalchemy", "psycopg", "alembic")
SERVICES = ("consent", "vault", "disclosure", "claims")

# Package prefix → what is forbidden there, but in modules that begin with one of these names.
ROLES: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {
    **{
        f"services/{service}/": {
            MESSAGES: ("servicer", "wire", "__main__"),
            DATABASE: ("store", "tables", "migrations", "key_store_migrations"),
        }
        for service in SERVICES
    },
    "gateway/": {DATABASE: ("store", "migrations")},
    "cli/consistency/": {DATABASE: ("store",)},
}


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """What a module of this path below the root imports against its role."""
    found = list(_imports(ast.parse(source)))
    wrong = [(line, name) for line, name in found if "__main__" in name.split(".")]
    for package, rules in ROLES.items():
        if not path.startswith(package):
            continue
        module = path.removeprefix(package)
        for forbidden, exempt in rules.items():
            if not module.startswith(exempt):
                wrong += [(line, name) for line, name in found if name.split(".")[0] in forbidden]
    return sorted({f"{path}:{line} imports {name}" for line, name in wrong})


def test_every_module_imports_only_what_its_role_allows() -> None:
    sources = [
        path
        for package in ("services", "gateway", "cli", "benchmarks")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    assert sources
    wrong = [
        line
        for path in sources
        for line in violations(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/vault/decision.py", "import grpc"),
        ("services/vault/decision.py", "from google.protobuf import message"),
        ("services/vault/decision.py", "from google import protobuf"),
        ("services/vault/decision.py", "from qupia.vault.v1 import vault_pb2"),
        ("services/vault/decision.py", "def f():\n    import sqlalchemy.exc"),
        ("services/vault/servicer.py", "import sqlalchemy"),
        ("services/vault/__main__.py", "from sqlalchemy import Engine"),
        ("services/claims/store.py", "import grpc"),
        ("services/claims/state.py", "from psycopg import sql"),
        ("gateway/transcoder.py", "import sqlalchemy"),
        ("gateway/app.py", "from gateway import __main__"),
        ("cli/run.py", "import services.vault.__main__"),
    ],
)
def test_a_planted_import_is_found(path: str, source: str) -> None:
    assert violations(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/vault/servicer_reads.py", "from qupia.vault.v1 import vault_pb2"),
        ("services/vault/servicer_release.py", "import grpc"),
        ("services/vault/wire.py", "from google.protobuf import timestamp_pb2"),
        ("services/vault/__main__.py", "import grpc"),
        ("services/vault/store.py", "import sqlalchemy as sa"),
        ("services/vault/store/subjects.py", "import sqlalchemy as sa"),
        ("services/vault/migrations/versions/m0001.py", "from alembic import op"),
        ("services/vault/decision.py", "from services.vault.store_port import Rows"),
        ("services/chassis/database.py", "import sqlalchemy"),
        ("gateway/transcoder.py", "import grpc"),
    ],
)
def test_an_import_within_the_role_is_let_through(path: str, source: str) -> None:
    assert violations(path, source) == []


@pytest.mark.parametrize(
    "folder",
    sorted(p for name in ("services", "gateway") for p in (ROOT / name).rglob("*migrations")),
    ids=lambda folder: str(folder.relative_to(ROOT)),
)
def test_the_migrations_of_a_database_form_one_line(folder: Path) -> None:
    """Two with one number make two heads, and then nothing starts."""
    numbers = [path.name[:4] for path in sorted(folder.glob("0*.py"))]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]
    for path, former in zip(sorted(folder.glob("0*.py")), [None, *numbers], strict=False):
        text = path.read_text("utf-8")
        said = f'down_revision = "{former}"' if former else "down_revision = None"
        assert said in text, path.name
        assert f'revision = "{path.name[:4]}"' in text, path.name
