"""What a newcomer types wrongly is answered with the next step; a look at the machine changes nothing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from beam_api.cli import main
from beam_api.monitoring import slots
from beam_api.server.embedded_redis import EmbeddedRedis
from tests import images, videos

if TYPE_CHECKING:
    from pathlib import Path


def beam(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="beam")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "face.mp4"
    path.write_bytes(videos.encoded())
    return path


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("mesure",), "Did you mean `beam measure`?"),
        (("keys", "lst"), "Did you mean `beam keys list`?"),
        (("xyz",), "There are serve, worker, demo, measure, scan, watch, batch, compare, keys, doctor, completion."),
    ],
)
def test_an_unknown_command_names_the_nearest(typed: tuple[str, ...], said: str) -> None:
    result = beam(*typed)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_in_the_place_of_a_command_names_the_command(clip: Path) -> None:
    assert f"`beam measure {clip}`" in beam(clip).stderr


def test_a_picture_says_what_to_do_instead(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(images.jpeg(videos.pictures()[0]))
    for options in ((), ("--url", "http://127.0.0.1:9", "--key", "k")):
        result = beam("measure", path, *options)
        assert result.exit_code == 1
        assert "is a picture. A pulse needs a video of at least 10 s" in result.stderr
        assert "/api/rppg/check" in result.stderr


def test_a_name_that_is_no_file_names_the_nearest(clip: Path) -> None:
    result = beam("measure", clip.with_name("fase.mp4"))
    assert f"Did you mean {clip}?" in result.stderr
    assert f"`beam measure {clip.parent}/*.mp4`" in beam("measure", clip.parent).stderr


def test_a_missing_key_and_a_service_that_is_down_name_the_next_step(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEAM_API_KEY", raising=False)
    nowhere = ("--url", "http://127.0.0.1:9")
    for command in ("measure", "scan"):
        no_key = beam(command, clip, *nowhere)
        assert no_key.exit_code != 0
        assert "BEAM_API_KEY" in no_key.stderr
        assert "beam keys create" in no_key.stderr
        down = beam(command, clip, *nowhere, "--key", "k")
        assert down.exit_code == 1
        assert "http://127.0.0.1:9 can't be reached" in down.stderr
        assert "`beam serve`" in down.stderr


def test_an_address_or_a_key_that_is_none_is_one_line(clip: Path) -> None:
    for options in (("--url", "localhost:8000", "--key", "k"), ("--url", "http://localhost", "--key", "schlüssel")):
        result = beam("measure", clip, *options)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("Error: The ")


def test_several_files_are_measured_and_those_that_cannot_be_are_named(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    result = beam("measure", clip, broken, clip, "--json")
    assert result.exit_code == 1
    first, second, third = json.loads(result.stdout)
    assert first["source"] == str(clip)
    assert first["heart_rate"] == third["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert second["source"] == str(broken)
    assert "no MP4, MOV, WebM or AVI video" in second["error"]
    assert str(broken) in result.stderr
    refused = beam("measure", clip, clip, "--plot", tmp_path / "pulse.png")
    assert refused.exit_code == 2
    assert "name one SOURCE" in refused.stderr


def test_json_has_waveforms_only_if_they_are_wanted(clip: Path) -> None:
    plain, raw = beam("measure", clip, "--json"), beam("measure", clip, "--json", "--raw")
    assert "raw" not in json.loads(plain.stdout)
    assert len(plain.stdout.splitlines()) < 100
    assert len(json.loads(raw.stdout)["raw"]["ppg"]) > 100


@pytest.mark.parametrize("columns", [60, 80])
def test_the_list_of_keys_fits_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("BEAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("BEAM_REDIS_URL", raising=False)
    with EmbeddedRedis(tmp_path / "data"):
        for tier in ("sandbox", "enterprise"):
            made = json.loads(beam("keys", "create", "--owner", "the clinic", "--tier", tier, "--json").stdout)
        beam("keys", "revoke", made["key_id"])
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = beam("keys", "list").stdout.splitlines()
    assert max(len(line) for line in lines) <= columns
    if columns == 80:
        rows = [line for line in lines if "the clinic" in line]
        assert len(rows) == 2
        assert "enterprise" in rows[0] + rows[1]
        assert "10000" in rows[0] + rows[1]
    assert "revoked" in "\n".join(lines)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = beam("completion", shell)
    assert named.exit_code == 0
    assert f"_BEAM_COMPLETE={shell}_complete" in named.stdout
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    assert beam("completion").stdout == named.stdout
    monkeypatch.setenv("SHELL", "/bin/dash")
    assert "Name the shell: bash, zsh, fish" in beam("completion").stderr


def test_bash_completes_commands_and_options() -> None:
    def completed(words: str) -> list[str]:
        result = CliRunner().invoke(
            main,
            env={"_BEAM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
            prog_name="beam",
        )
        return [line.partition(",")[2] for line in result.stdout.splitlines()]

    assert completed("beam me") == ["measure"]
    assert completed("beam keys ") == ["create", "export", "import", "list", "revoke"]
    assert "--plot" in completed("beam measure --p")


def test_bash_takes_the_script() -> None:
    script = beam("completion", "bash").stdout + "\ncomplete -p beam\n"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "_beam_completion" in ended.stdout


def everything(folder: Path) -> dict[str, Any]:
    """Each path below a folder, with what a change of it would change."""
    return {str(p): (p.stat().st_mode, p.stat().st_mtime_ns, p.stat().st_size) for p in [folder, *folder.rglob("*")]}


def test_doctor_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "home" / "data"
    data.parent.mkdir()
    monkeypatch.setenv("BEAM_DATA_DIR", str(data))
    monkeypatch.delenv("BEAM_REDIS_URL", raising=False)
    before = everything(data.parent)
    new = beam("doctor", "--json")
    assert new.exit_code == 0, new.output
    assert everything(data.parent) == before
    assert not slots.folder_of(data).exists()

    with EmbeddedRedis(data):
        key = json.loads(beam("keys", "create", "--owner", "me", "--json").stdout)
    before = everything(data.parent)
    assert beam("doctor", "--json").exit_code == 0
    assert everything(data.parent) == before
    with EmbeddedRedis(data):
        assert [listed["key_id"] for listed in json.loads(beam("keys", "list", "--json").stdout)] == [key["key_id"]]
