"""What the tests of the world's tasks share."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def build_elsewhere(tmp_path_factory):
    """What a program writes as JSON to the file that it is given, in a process of its own: where nothing checks types,
    worlds take seconds."""

    def build(program: str):
        folder = tmp_path_factory.mktemp("world")
        environment = {**os.environ, "SEQBOOK_HOME": str(folder / "home"), "PYTHONHASHSEED": "1"}
        subprocess.run([sys.executable, "-c", program, str(folder / "rows.json")], env=environment, check=True)
        return json.loads((folder / "rows.json").read_text())

    return build
