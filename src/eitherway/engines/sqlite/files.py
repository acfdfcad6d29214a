"""Which file a URL names, and whether SQLite can be trusted with it there."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ConfigurationError

_NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.rclone"),
        *("fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs"),
    )
)


def path_of(url: str) -> Path | None:
    """The database file that a URL names; None for one in memory. `ConfigurationError` if wrong."""
    rest = url.removeprefix("sqlite://")
    if rest in {":memory:", "/:memory:"}:
        return None
    if rest == url or not rest.startswith("/") or rest.endswith("/") or set("?#\0") & set(rest):
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db, sqlite:////absolute.db "
            "or sqlite://:memory:"
        )
    return Path(rest[1:])


def refuse_network(path: Path, mounts: str) -> None:
    """`ConfigurationError` if `path` lies on a network file system, by the text of /proc/mounts.

    Locks and shared memory do not work there: processes would corrupt each other's data.
    """
    where = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescape(fields[1])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two at one place, the later one is on top
            best, kind = point, fields[2]
    if kind in _NETWORK:
        raise ConfigurationError(
            f"{path} is on a network file system ({kind}), where SQLite loses data: "
            "put the file on a local disk"
        )


def mounts_text() -> str:
    """What is mounted where; empty on systems that do not tell."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _unescape(point: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point
