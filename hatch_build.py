# SPDX-License-Identifier: Apache-2.0
"""Generates the contract's Python modules beside their .proto files.

As a hatchling hook it runs with every build and editable install. As a command it serves the
Makefile: `hatch_build.py generate` and `hatch_build.py image PROTOS OUT` (for `buf`).
"""

import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The contract with its comments, which generated modules do not carry.
COMMENTS = "descriptors.binpb"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class ContractHook(BuildHookInterface[Any]):
    """Runs the generation before hatchling collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the modules below <root>/protos. Raises RuntimeError when protoc refuses."""
        del version, build_data
        generate(Path(self.root) / "protos")


def generate(protos: Path) -> None:
    """Makes one _pb2.py and _pb2.pyi per .proto and removes those whose .proto is gone.

    The old modules stay as they are when protoc refuses: it writes to a folder of its own first.
    """
    with tempfile.TemporaryDirectory(prefix="qupia-protoc-") as folder:
        out = Path(folder)
        plugin = _mypy_plugin()
        _protoc(
            protos,
            f"--plugin=protoc-gen-mypy={plugin}",
            f"--python_out={out}",
            f"--mypy_out=quiet:{out}",
        )
        made = {path.relative_to(out) for path in out.rglob("*_pb2.py*")}
        for path in made:
            _replace_if_other(out / path, protos / path)
        image(protos, out / COMMENTS)
        _replace_if_other(out / COMMENTS, protos / "qupia" / COMMENTS)
    for pattern in GENERATED:
        for path in protos.rglob(pattern):
            if path.relative_to(protos) not in made:
                path.unlink()


def image(protos: Path, out: Path) -> None:
    """Writes the descriptor set of every .proto, with imports and source positions, to `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _protoc(protos, "--include_imports", "--include_source_info", f"--descriptor_set_out={out}")


def _protoc(protos: Path, *arguments: str) -> None:
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    if not sources:
        raise RuntimeError(f"no .proto file below {protos}")
    includes = [protos, _package_folder("grpc_tools") / "_proto", _googleapis()]
    command = ["protoc", *(f"-I{folder}" for folder in includes), *arguments, *sources]
    if protoc.main(command) != 0:
        raise RuntimeError(f"protoc refused the contract below {protos}: its lines stand above")


def _mypy_plugin() -> str:
    """The plug-in beside this interpreter or, in an isolated build, on the PATH."""
    beside = shutil.which("protoc-gen-mypy", path=str(Path(sys.executable).parent))
    plugin = beside or shutil.which("protoc-gen-mypy")
    if plugin is None:
        raise RuntimeError("protoc-gen-mypy is missing: install mypy-protobuf")
    return plugin


def _googleapis() -> Path:
    return _package_folder("google.api.annotations_pb2").parents[1]


def _package_folder(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the module {module} is not installed")
    return Path(spec.origin).parent


def _replace_if_other(new: Path, old: Path) -> None:
    """Leaves an equal file's time alone, so that type checking stays incremental."""
    if not old.exists() or old.read_bytes() != new.read_bytes():
        shutil.move(new, old)


if __name__ == "__main__":
    if sys.argv[1:] == ["generate"]:
        generate(Path(__file__).parent / "protos")
    elif len(sys.argv) == 4 and sys.argv[1] == "image":
        image(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit("usage: hatch_build.py generate | hatch_build.py image PROTOS OUT")
