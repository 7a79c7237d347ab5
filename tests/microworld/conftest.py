"""What the tests of the micro-world share: a cache of their own, and data that another process builds."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(autouse=True)
def microworld_home(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("MICROWORLD_HOME", str(tmp_path / "microworld"))
    return tmp_path / "microworld"


@pytest.fixture(scope="session")
def build_elsewhere(tmp_path_factory):
    """Run a program in another process, and return what it writes as JSON to the file that it is given."""

    def build(program: str):
        folder = tmp_path_factory.mktemp("world")
        environment = {**os.environ, "MICROWORLD_HOME": str(folder / "home"), "PYTHONHASHSEED": "1"}
        subprocess.run([sys.executable, "-c", program, str(folder / "rows.json")], env=environment, check=True)
        return json.loads((folder / "rows.json").read_text())

    return build
