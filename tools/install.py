"""Make a virtual environment and install into it with uv, by pip's own configuration.

    python3 tools/install.py .venv --editable '.[dev]'

uv resolves in a second what takes pip minutes, but reads no configuration of pip's. So what `pip config list` shows is
handed to uv. Where pip is configured in a way that uv has no equal for, or uv fails, pip installs and the reason is
printed. Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Options of pip's that decide which files are installed, or how they are fetched, and the variables of uv's for them.
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "build-constraint": "UV_BUILD_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
_SWITCHES = {"no-index": "--no-index", "pre": "--prerelease=allow", "no-cache-dir": "--no-cache"}
_ABOUT_OUTPUT = {
    *("disable-pip-version-check", "no-input", "progress-bar", "quiet", "verbose", "no-color", "root-user-action"),
    *("no-warn-script-location", "no-warn-conflicts", "require-virtualenv", "cache-dir", "prefer-binary", "log"),
    *("no-python-version-warning", "break-system-packages", "no-compile", "compile", "config-file", "format"),
}
_OFF = {"", "0", "false", "no", "off", "n", "f"}


class NoEqual(Exception):
    """pip is configured in a way that uv can't be."""


def pip_options(listing: str) -> dict[str, str]:
    """What `pip config list` says of `pip install`: the environment over [install] over [global]."""
    found: dict[tuple[int, str], str] = {}
    order = {"global": 0, "install": 1, ":env:": 2}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in order:
            found[order[section], name.replace("_", "-")] = str(ast.literal_eval(value))
    return {name: value for (_, name), value in sorted(found.items())}


def for_uv(options: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Environment and arguments with which uv does what pip would do by these options."""
    # pip takes the newest release of all its indexes; uv would stop at the first index that has the name.
    environment, arguments = {"UV_INDEX_STRATEGY": "unsafe-best-match"}, []
    for name, value in options.items():
        if name in _VARIABLES:
            values = value.split()
            if name == "find-links":  # pip passes over a folder that isn't there
                values = [v for v in values if "://" in v or Path(v).expanduser().exists()]
            if values:
                separator = "," if name == "find-links" else " "
                environment[_VARIABLES[name]] = separator.join(values)
        elif name in _SWITCHES:
            arguments += [] if value.lower() in _OFF else [_SWITCHES[name]]
        elif name in ("only-binary", "no-binary"):
            arguments += [f"--{name}={package}" for package in value.replace(",", " ").split()]
        elif name not in _ABOUT_OUTPUT:
            raise NoEqual(f"pip's option {name}")
    return environment, arguments


def _find_uv(python: Path, folder: str) -> Path:
    """The uv beside this script's interpreter, or one that pip puts into the folder."""
    beside = Path(sys.executable).with_name("uv")
    if not beside.exists():
        command: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        subprocess.run([*command, "--target", folder, "uv>=0.9"], check=True)
        beside = Path(folder) / "bin" / "uv"
    return beside


def install(python: Path, *requirements: str) -> str:
    """Install for this interpreter, which has pip; the name of what did it."""
    try:
        listed = subprocess.run([python, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
        environment, arguments = for_uv(pip_options(listed.stdout))
        if "REQUESTS_CA_BUNDLE" in os.environ:  # pip goes by it where no option names certificates
            environment.setdefault("SSL_CERT_FILE", os.environ["REQUESTS_CA_BUNDLE"])
        with tempfile.TemporaryDirectory(prefix="beam-uv-") as folder:
            uv = _find_uv(python, folder)
            subprocess.run(
                [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *arguments, *requirements],
                check=True,
                env={**environment, **os.environ},
            )
    except (NoEqual, OSError, subprocess.CalledProcessError) as error:
        print(f"uv can't install here ({error}). pip does it, which takes some minutes.", file=sys.stderr)
    else:
        return "uv"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True
    )
    return "pip"


def main() -> None:
    """Make the environment anew and install into it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", type=Path)
    options, requirements = parser.parse_known_args()
    if not (3, 11) <= sys.version_info < (3, 14):
        sys.exit("Beam needs Python 3.11 to 3.13.")
    venv.create(options.environment, clear=True, with_pip=True, symlinks=True)
    try:
        install(options.environment.absolute() / "bin" / "python", *requirements)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The installation failed: {error}")


if __name__ == "__main__":
    main()
