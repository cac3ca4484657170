"""Adds a user to MLflow: ``python add_user.py CREDENTIALS``, the file that the user keeps as ~/.mlflow/credentials.

Asks the server at MLFLOW_TRACKING_URI as its admin, whose password MLFLOW_ADMIN_PASSWORD_FILE holds. A user who is
there already stays as they are. Needs nothing but Python.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    if len(sys.argv) != 2 or not {"MLFLOW_TRACKING_URI", "MLFLOW_ADMIN_PASSWORD_FILE"} <= set(os.environ):
        sys.exit("usage: add_user.py CREDENTIALS, with MLFLOW_TRACKING_URI and MLFLOW_ADMIN_PASSWORD_FILE set")
    credentials = configparser.ConfigParser(interpolation=None)
    credentials.read_string(Path(sys.argv[1]).read_text())
    user = credentials["mlflow"]
    name = user["mlflow_tracking_username"]
    admin = "admin:" + Path(os.environ["MLFLOW_ADMIN_PASSWORD_FILE"]).read_text().rstrip("\n")
    request = urllib.request.Request(
        os.environ["MLFLOW_TRACKING_URI"].rstrip("/") + "/api/2.0/mlflow/users/create",
        data=json.dumps({"username": name, "password": user["mlflow_tracking_password"]}).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(admin.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60):
            print(f"added {name}")
    except urllib.error.HTTPError as error:
        answer = error.read().decode(errors="replace")
        if "RESOURCE_ALREADY_EXISTS" not in answer:
            sys.exit(f"the server did not add {name}: {error.code} {answer}")
        print(f"{name} is there already")


if __name__ == "__main__":
    main()
