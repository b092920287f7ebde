"""What is collected of a request before a thread has it: the head, and a body whose length is clear."""

from __future__ import annotations

import pytest

from beam_api.server.http_head import MOST_COLLECTED, Head


def head_of(*lines: str, body: bytes = b"") -> Head:
    head = Head()
    head.add("\r\n".join(["POST / HTTP/1.1", "Host: x", *lines, "", ""]).encode() + body)
    assert head.is_complete
    assert not head.is_refused
    return head


def test_a_body_is_collected_to_its_announced_end() -> None:
    head = head_of("content-length: 10", body=b"abc")
    assert head.missing == 7
    head.add(b"defghi")
    assert head.missing == 1
    head.add(b"j")
    assert head.missing == 0
    assert head.data[head.body_at :] == b"abcdefghij"


def test_line_ends_in_a_body_refuse_nothing() -> None:
    head = head_of("Content-Length: 10", body=b"a\n")
    head.add(b"b\rc\n\n\r\nd")
    assert head.missing == 0
    assert not head.is_refused


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 10", "Transfer-Encoding: chunked"),
        ("Content-Length: 10", "Content-Length: 10"),
        ("Content-Length: 10", "Expect: 100-continue"),
        ("Content-Length: +10",),
        ("Content-Length: 10, 10",),
        ("Content-Length: 99999999999999999999",),
        (f"Content-Length: {MOST_COLLECTED + 1}",),
        ("X-Content-Length: 10",),
    ],
)
def test_any_other_body_is_left_to_the_parser(lines: tuple[str, ...]) -> None:
    assert head_of(*lines).missing == 0


def test_what_follows_a_request_is_not_missing() -> None:
    assert head_of("Content-Length: 2", body=b"abGET / HTTP/1.1\r\n").missing < 0


def test_the_largest_form_of_frames_is_collected() -> None:
    assert head_of(f"Content-Length: {33 * 2**20}").missing == 33 * 2**20
