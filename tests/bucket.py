"""A bucket in an object store on loopback that speaks S3."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from tests.system.serving import free_port

NAME = "bucket"


def environment(port: int) -> dict[str, str]:
    """The variables that tell clients where the bucket is, and who they are."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextlib.contextmanager
def serving(port: int | None = None) -> Iterator[dict[str, str]]:
    """Serve the bucket; yields the environment of its clients."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    found = environment(port or free_port())
    server = ThreadedMotoServer("127.0.0.1", int(found["AWS_ENDPOINT_URL"].rpartition(":")[2]), verbose=False)
    server.start()
    try:
        boto3.client(
            "s3",
            endpoint_url=found["AWS_ENDPOINT_URL"],
            region_name=found["AWS_DEFAULT_REGION"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        ).create_bucket(Bucket=NAME)
        yield found
    finally:
        server.stop()


if __name__ == "__main__":
    import sys
    import threading

    with serving(int(sys.argv[1])):
        threading.Event().wait()
