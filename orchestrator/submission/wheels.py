"""The code that a submission carries: ratefront and the user's own modules, as wheels that install offline."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_OURS = ("analysis", "orchestrator", "trainers")


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A pure Python wheel, in memory."""

    filename: str
    content: bytes


def pack(name: str, version: str, files: Mapping[str, bytes]) -> Wheel:
    """Make a wheel of ``files``, keyed by path; the same files give the same bytes.

    Its version contains a hash of them, because Ray identifies a wheel by its file name alone. It requires no other
    package: what it needs is in the image, and ``pip`` must not look for it.
    """
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    full = f"{version}+g{digest.hexdigest()[:12]}"
    information = f"{name}-{full}.dist-info"
    members = {
        **dict(sorted(files.items())),
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {full}\n".encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: ratefront\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},{_digest(content)},{len(content)}\n" for path, content in members.items()]
    members[f"{information}/RECORD"] = "".join([*rows, f"{information}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            entry = zipfile.ZipInfo(path)  # dated 1980, so that bytes do not change
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return Wheel(filename=f"{name}-{full}-py3-none-any.whl", content=buffer.getvalue())


def ratefront_wheel() -> Wheel:
    """A wheel of ratefront as it runs here, however it was installed."""
    files: dict[str, bytes] = {}
    for package in _OURS:
        folder = Path(str(importlib.import_module(package).__file__)).parent
        files |= {f"{package}/{path}": content for path, content in _read(folder).items()}
    return pack("ratefront", metadata.version("ratefront"), files)


def own_modules(folder: Path, more: Iterable[str] = ()) -> dict[str, bytes]:
    """The files of the user's modules and packages that are imported by now, and of those named in ``more``.

    Args:
        folder: where they are, without symbolic links.
        more: names of modules that are only imported when they are used.

    Returns:
        Each file's content by its path from ``folder``.

    Raises:
        ValueError: one of ``more`` is not there, or a name would hide a package of ratefront.
    """
    found: dict[str, bytes] = {}
    for name in sorted({*_imported_from(folder), *more}):
        package, module = folder / name, folder / f"{name}.py"
        if name in _OURS:
            raise ValueError(f"{name!r} has the name of a package of ratefront, which it would hide: give it another")
        if package.is_dir():
            found |= {f"{name}/{path}": content for path, content in _read(package).items()}
        elif module.is_file():
            found[module.name] = module.read_bytes()
        else:
            raise ValueError(f"--include {name}: there is neither {name}/ nor {module.name} in {folder}")
    return found


def _imported_from(folder: Path) -> Iterator[str]:
    """Names of the top-level modules that were imported from ``folder`` itself, without ratefront's own."""
    for name, module in list(sys.modules.items()):
        if "." in name or name in _OURS or name == "__main__":
            continue
        places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
        paths = [Path(place).absolute() for place in places if place]
        if {folder / name, folder / f"{name}.py"} & {*paths, *(path.resolve() for path in paths)}:  # it may be a link
            yield name


def _read(folder: Path) -> dict[str, bytes]:
    """The content of each file below ``folder`` by its path, without hidden files and Python's cache."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        is_hidden = any(part == "__pycache__" or part.startswith(".") for part in relative.parts)
        if path.is_file() and not is_hidden:
            found[relative.as_posix()] = path.read_bytes()
    return found


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
