"""Write-ahead logging for SQLite, where the disk bears it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def use_wal(database: Path) -> None:
    """Write-ahead logging lets readers read while the tracker writes; it needs a local disk."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if not _on_network_disk(database.parent):
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


def _on_network_disk(folder: Path) -> bool:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    found = ("", "")
    for line in mounts.read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount_point) and len(mount_point) >= len(found[0]):
            found = (mount_point, kind)
    return found[1] in {"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}
