"""A stand-in for AWS KMS that knows the states of keys: ministack, on loopback."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import botocore.session
from botocore.exceptions import BotoCoreError

from support.program import free_port

_START_LIMIT = 60  # seconds
_PROGRAM = (
    "import sys, uvicorn; uvicorn.run('ministack.app:app', host='127.0.0.1', port=int(sys.argv[1]), lifespan='on')"
)
REGION = "eu-central-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7LAKEKEY",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-not-a-real-secret-key-1234",
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class AwsKmsServer:
    """A running server; a context manager."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def environ(self) -> dict[str, str]:
        """What leads AWS's own clients to it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL_KMS": self.url}

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory()
        log = Path(self._directory.name) / "log"
        with log.open("wb") as file:
            environ = {"PATH": os.environ["PATH"], "HOME": self._directory.name, "SERVICES": "kms"}
            command = [sys.executable, "-c", _PROGRAM, str(self._port)]
            self._process = subprocess.Popen(command, stdout=file, stderr=file, env=environ, cwd=self._directory.name)
        self.client: Any = botocore.session.Session().create_client(
            "kms",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        deadline = time.monotonic() + _START_LIMIT
        while True:
            try:
                self.client.list_keys()
                break
            except BotoCoreError:
                assert time.monotonic() < deadline, log.read_text()
                assert self._process.poll() is None, log.read_text()
                time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def new_key(self) -> str:
        """The ARN of a new key."""
        return str(self.client.create_key()["KeyMetadata"]["Arn"])
