"""Folders of images: numbered files, a folder for each class, splits by names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainers import checks
from trainers.data.examples import Batch
from trainers.data.pictures import Pictures

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""The files that are images, as torchvision's ``ImageFolder`` has them; in small or capital letters."""
_SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""Folders of whole splits, and which they hold."""


class Names:
    """Many texts in little memory: a million objects of Python would be copied to each worker one by one."""

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [os.fsencode(text) for text in texts]
        self._joined = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return os.fsdecode(self._joined[self._ends[number] : self._ends[number + 1]])


class ImageFolder:
    """Examples from image files: inputs are images (batch, channels, height, width), targets their labels (batch,)."""

    classes: tuple[str, ...]
    """What the labels 0, 1, ... mean; none where labels were given with the files."""
    names: Names
    """The paths below ``root``."""

    def __init__(
        self,
        root: str | Path,
        files: Sequence[tuple[str, float]] | None = None,
        *,
        classes: Sequence[str] | None = None,
        **pictures: Any,
    ) -> None:
        """List the files; nothing is decoded before it is needed.

        Args:
            root: a folder with a folder for each class, sorted by name, in which files may lie in folders; numbered by
                class, then by path.
            files: or pairs of a path below ``root`` and a label, a class's number or a value, in the order in which
                they are numbered.
            classes: the names of the classes in the order of their labels, for a folder that lacks some.
            pictures: how an image becomes a tensor: the fields of ``Pictures``, such as ``size=64``.

        Raises:
            ValueError: there is no such folder, or no image where one should be; one line says which.
        """
        self.root = Path(root).absolute()  # workers may have another working directory
        self.pictures = Pictures(**pictures)
        if files is None:
            found = _classes(self.root) if classes is None else tuple(classes)
            files = list(_labelled(self.root, found))
            self.classes = found
        else:
            self.classes = tuple(classes or ())
        if not files:
            raise ValueError(f"{self.root} has no images: wanted files that end in {', '.join(SUFFIXES)}")
        self.names = Names(name for name, _ in files)
        self._labels = torch.tensor([label for _, label in files])
        first = self.root / files[0][0]
        self._shape = self.pictures.shape_of(first, str(first))

    def __len__(self) -> int:
        return len(self.names)

    def take(self, numbers: Tensor, /) -> Batch:
        files = [self.root / self.names[number] for number in numbers.tolist()]
        return Batch(self.pictures.batch(files, [str(file) for file in files], self._shape), self._labels[numbers])


class Splits(NamedTuple):
    """The splits of a folder. All have the classes of the first."""

    train: ImageFolder
    validation: ImageFolder
    test: ImageFolder


def split_folder(root: str | Path, *, validation: float = 0.1, test: float = 0.1, **pictures: Any) -> Splits:
    """Split a folder that has a folder for each class.

    A file's split is a hash of its path below ``root``, so it stays when others come or go. Where ``root`` has nothing
    but the folders ``train``, ``val`` (or ``validation``) and ``test``, these are the splits, and one that is missing
    is cut from ``train``. For validation and test images are neither flipped nor cropped at random.

    Args:
        root: the folder.
        validation: the share of the files that is validated with, where it has no folder.
        test: the share that is tested with, where it has none.
        pictures: the fields of ``Pictures``.

    Raises:
        ValueError: a folder has no images, or a split would have none; one line says which.
    """
    checks.number("validation", validation, low=0, high=1, above=True)
    checks.number("test", test, low=0, high=1, above=True)
    root = Path(root).absolute()
    names = _folders(root)
    whole = {_SPLITS[name]: root / name for name in names} if "train" in names and set(names) <= set(_SPLITS) else {}
    if len(whole) < len(names) and whole:
        raise ValueError(f"{root} has {' and '.join(names)}: two of them are one split")
    measured = {**pictures, "random_crop": False, "flip": False}
    cut_from = whole.get("train", root)
    classes = _classes(cut_from)
    shares = {name: share for name, share in (("test", test), ("validation", validation)) if name not in whole}
    parts: dict[str, list[tuple[str, int]]] = {"train": [], **{name: [] for name in shares}}
    for file, label in _labelled(cut_from, classes):
        parts[_part(file, shares)].append((file, label))
    made = {}
    for name in ("train", "validation", "test"):
        look = pictures if name == "train" else measured
        if name not in parts:
            made[name] = ImageFolder(whole[name], classes=classes, **look)
        elif parts[name]:
            made[name] = ImageFolder(cut_from, parts[name], classes=classes, **look)
        else:
            raise ValueError(
                f"{cut_from} gives no images to {name}: it has {sum(map(len, parts.values()))}; give more, or another "
                f"share for {' or '.join(sorted(shares))}"
            )
    return Splits(**made)


def _part(file: str, shares: dict[str, float]) -> str:
    """The split that a file belongs to."""
    digest = hashlib.blake2b(f"split/{file}".encode(errors="surrogateescape"), digest_size=8).digest()
    place = int.from_bytes(digest, "little") / 2**64
    for name, share in shares.items():
        if place < share:
            return name
        place -= share
    return "train"


def _folders(root: Path) -> list[str]:
    """The names of the folders in ``root``, sorted."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise ValueError(f"{root} cannot be listed: {error.strerror}") from error


def _classes(root: Path) -> tuple[str, ...]:
    """The classes of a folder, which have folders in it."""
    if found := _folders(root):
        return tuple(found)
    images = any(map(_is_image, os.listdir(root)))
    raise ValueError(
        f"{root} has {'images and ' if images else ''}no folders: wanted a folder for each class, with its images"
        + (", or a list of files with labels, ImageFolder(root, [(path, label), ...])" if images else "")
    )


def _labelled(root: Path, classes: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the paths below ``root`` and labels of the images of all classes, sorted."""
    found = _folders(root)
    if unknown := [name for name in found if name not in classes]:
        raise ValueError(f"{root} has a folder {unknown[0]!r}, which is none of the classes {', '.join(classes)}")
    for label, name in enumerate(classes):
        if name in found:
            files = sorted(_images(root, name))
            if not files:
                raise ValueError(f"{root / name} has no images: wanted files that end in {', '.join(SUFFIXES)}")
            yield from ((file, label) for file in files)


def _images(root: Path, folder: str) -> Iterator[str]:
    """Yield the paths below ``root`` of the images in ``folder`` and in folders in it, but for hidden ones."""
    seen: set[str] = set()  # a link may lead back to where it lies
    for place, folders, names in os.walk(root / folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(root).as_posix()
        yield from (f"{below}/{name}" for name in names if _is_image(name))


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
