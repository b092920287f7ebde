"""tools/install.py: pip's configuration reaches uv, and pip installs what uv can't."""

import importlib.util
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "install.py"
SPEC = importlib.util.spec_from_file_location("install", SCRIPT)
assert SPEC
assert SPEC.loader
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)


def listing(monkeypatch, tmp_path, text, **environment):
    """What pip itself says of a configuration."""
    (tmp_path / "pip.conf").write_text(text)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_environment_wins_over_the_section_install_and_that_over_global(monkeypatch, tmp_path):
    text = (
        "[global]\nindex-url = https://a.test/simple\ntimeout = 5\nretries = 1\n[install]\ntimeout = 6\nretries = 2\n"
    )
    options = install.pip_options(listing(monkeypatch, tmp_path, text, PIP_RETRIES="3"))
    assert (options["index-url"], options["timeout"], options["retries"]) == ("https://a.test/simple", "6", "3")


def test_indexes_folders_constraints_and_certificates_reach_uv(monkeypatch, tmp_path):
    text = (
        "[global]\nindex-url = https://a.test/simple\nextra-index-url =\n    https://b.test/simple\n    file:///c\n"
        f"find-links =\n    {tmp_path}\n    /is/not/there\n    https://d.test/wheels\nno-index = true\npre = no\n"
        "[install]\nconstraint = /etc/constraints.txt\nonly-binary = numpy,scipy\n"
    )
    options = install.pip_options(listing(monkeypatch, tmp_path, text, PIP_CERT="/etc/own.pem"))
    environment, arguments = install.for_uv(options)
    expected = {
        "UV_DEFAULT_INDEX": "https://a.test/simple",
        "UV_INDEX": "https://b.test/simple file:///c",
        "UV_FIND_LINKS": f"{tmp_path},https://d.test/wheels",
        "UV_CONSTRAINT": "/etc/constraints.txt",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/etc/own.pem",
    }
    assert environment.items() >= expected.items()
    assert arguments == ["--no-index", "--only-binary=numpy", "--only-binary=scipy"]


def test_an_option_that_uv_has_no_equal_for_is_named():
    with pytest.raises(install.NoEqual, match="require-hashes"):
        install.for_uv({"require-hashes": "true"})


def test_pip_installs_and_says_why_when_uv_can_not(monkeypatch, tmp_path, capfd):
    """`user` is an option that uv doesn't have; the package is a local one without dependencies."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "beam_probe-1.0-py3-none-any.whl").write_bytes(_wheel())
    listing(monkeypatch, tmp_path, f"[install]\nuser = false\nno-index = true\nfind-links = {package}\n")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, SCRIPT, environment, "beam-probe"], check=True)
    assert "pip's option user" in capfd.readouterr().err
    subprocess.run([environment / "bin" / "python", "-c", "import beam_probe"], check=True)


def _wheel():
    buffer = io.BytesIO()
    info = "beam_probe-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("beam_probe.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: beam-probe\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: beam\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()
