"""Tracking URIs: what they mean, and whether a store is there. Knows no MLflow."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

_CREDENTIALS = re.compile(r"://[^/]*@")
_SCHEMES = {
    *("", "file", "http", "https", "sqlite", "postgresql", "mysql", "mssql"),
    *("databricks", "databricks-uc", "uc"),
}
_PROBE_S = 5.0
"""How long a server may take to answer. MLflow's own client would retry for minutes."""


def without_credentials(uri: str) -> str:
    """``uri`` as it may be shown: without ``user:password@``."""
    return _CREDENTIALS.sub("://", uri)


def unreadable(uri: str, error: Exception) -> ConnectionError:
    """The error of one line of a store that cannot be read, without the password in ``uri``."""
    shown = without_credentials(uri)
    said = (str(error).strip() or type(error).__name__).splitlines()[0].replace(uri, shown)
    return ConnectionError(f"cannot read {shown}: {said}")


def sqlite_path(uri: str) -> Path | None:
    """The file that SQLAlchemy opens for ``uri``; None where ``uri`` is no SQLite address.

    Raises:
        ValueError: the address is malformed, opens another file than it seems to, or means a database in memory.
    """
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        database = make_url(uri).database
    except ArgumentError:
        raise ValueError(f"{uri!r} is no address of a database: wanted such as sqlite:///mlflow.db") from None
    if "/" in uri.partition("?")[2]:
        raise ValueError(f"{uri!r} means {str(database)!r}, because options begin at '?': write '?' in a path as %3F")
    if not database or database == ":memory:":
        raise ValueError(f"{uri!r} is in memory, where no other process finds it: wanted such as sqlite:///mlflow.db")
    return Path(database)


def sqlite_uri(path: Path) -> str:
    """The inverse of ``sqlite_path``: the address of a database file, whatever its folders are called.

    Raises:
        ValueError: this SQLAlchemy has no address for such a path.
    """
    plain = str(path)
    if not {"?", "%"} & set(plain):  # the address of any other path is the path itself
        return f"sqlite:///{plain}"
    for text in (plain, plain.replace("%", "%25").replace("?", "%3F")):  # decoded from SQLAlchemy 2.1 on
        uri = f"sqlite:///{text}"
        if "?" not in text and sqlite_path(uri) == path:
            return uri
    raise ValueError(f"SQLAlchemy cannot open a database at {plain!r}: keep it in a folder without '?' and '%'")


def check_exists(uri: str) -> None:
    """Refuse a SQLite file for which MLflow would create an empty database, or try for minutes to open it.

    Raises:
        ValueError: ``uri`` means a SQLite file that is missing or cannot be read.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    if not path.is_file():
        raise ValueError(f"no tracking database at {uri}: run a sweep first or pass --tracking-uri")
    if not os.access(path, os.R_OK):
        raise ValueError(f"cannot read {uri}: {path} belongs to somebody else")


def check_scheme(uri: str) -> None:
    """Refuse an address that no store of MLflow's has, neither its own nor an installed plugin's.

    Raises:
        ValueError: it begins with something else.
    """
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme not in _SCHEMES and not any(one.name == scheme for one in entry_points(group="mlflow.tracking_store")):
        raise ValueError(
            f"no MLflow is at {without_credentials(uri)}, since {scheme!r} is no kind of its addresses: wanted a "
            "server's, such as http://host:5000, or a database's, such as sqlite:///mlflow.db"
        )


def check_answers(uri: str) -> None:
    """Ask a server for its health: MLflow itself would retry for minutes. Other stores are not asked.

    Raises:
        ConnectionError: no server answers.
    """
    shown = without_credentials(uri)
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    try:
        urllib.request.urlopen(f"{shown.rstrip('/')}/health", timeout=_PROBE_S).close()
    except urllib.error.HTTPError as error:
        error.close()  # it answered: whether it serves us is the client's to find out
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"no MLflow server answers at {shown}: {reason}") from None
