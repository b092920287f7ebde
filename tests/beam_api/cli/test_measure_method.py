"""`beam measure --method`: another method finds the pulse, in this process."""

import json

import pytest
from click.testing import CliRunner

from beam_api.cli import main
from tests import videos


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("method") / "face.mp4"
    path.write_bytes(videos.encoded())
    return str(path)


def measured(clip, *options):
    return CliRunner().invoke(main, ["measure", clip, "--json", *options])


def test_the_rate_is_found_by_the_method_that_is_named(clip):
    ours, named, other = (
        json.loads(measured(clip, *options).stdout) for options in ((), ("--method", "fused"), ("--method", "pos"))
    )

    assert named["heart_rate"] == ours["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert other["confidence"] != ours["confidence"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "nobodys"), "There is no extractor nobodys"),
        (("--method", "pos", "--url", "http://127.0.0.1:9", "--key", "k"), "a service has its own"),
    ],
)
def test_a_method_that_cannot_be_had_is_refused_before_the_video_is_read(clip, options, message):
    refused = measured(clip, *options)

    assert refused.exit_code != 0
    assert message in refused.output
