"""The wheel, installed in an environment of its own, does all that the README says, in an empty folder: `make wheel`.

Needs pip's index, so it is no part of `make test`; there tests/test_docs_readme.py runs the same from the sources.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from pages import ROOT, as_script

FIRST_MINUTES = """\
fastlstm sims
fastlstm run carousel --set draws=2000
fastlstm report results/carousel
fastlstm new mine.toml
fastlstm run mine.toml
"""


def main() -> None:
    with TemporaryDirectory() as folder:
        dist, fresh, empty = (Path(folder) / name for name in ("dist", "fresh", "empty"))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", dist, ROOT], check=True)
        (wheel,) = dist.glob("*.whl")
        venv.create(fresh, with_pip=True)
        empty.mkdir()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"PATH": f"{fresh / 'bin'}{os.pathsep}{os.environ['PATH']}", "MPLBACKEND": "Agg"}
        python = str(fresh / "bin" / "python")
        for command in (
            [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", str(wheel)],
            ["bash", "-ec", FIRST_MINUTES],
            [python, "-W", "error", "-c", as_script("README.md", draws=240)],
        ):
            subprocess.run(command, cwd=empty, env=environment, check=True)
        print(f"{wheel.name}: installed, and every command of the README done in an empty folder")


if __name__ == "__main__":
    main()
