"""Bodies and fields of every wrong sort: a 400 that names what is wrong, and never a 5xx."""

from __future__ import annotations

import gzip
import json
from urllib.parse import quote

import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.store.client import connect
from tests.hostile.conftest import MEASURE, Target
from tests.images import jpeg, still_face

pytestmark = pytest.mark.integration

FRAME = jpeg(still_face())
KIND = "multipart/form-data; boundary=b"
NO_NUMBERS = [
    *("NaN", "nan", "Infinity", "-Infinity", "inf", "1e309", "-1e309", "1e999999", "1e-999999", "0x10", "1_000"),
    *("1 000", "1,5", "--1", "1e", "e5", "", " ", " 1", "1 ", "1\n", "\ufeff1", "true", "null", "[]", "{}", "1;2"),
    *("1\x00", "-", "\u0661\u0662\u0663", "\uff11", "\u00bd", "\u2460", "9" * 1000, "0." + "0" * 5000 + "1"),
    *("-1", "9e12.5", "1" * 25),
]
NO_SESSIONS = [
    *("", " ", "..%2f", "../x", "a/b", "a\\b", "a\x00b", "a\r\nX: y", "a b", "{key}", "{}:window", "a{b}", "a:b", "*"),
    *("a?b", "\u0430dmin", "\u00e4", "\uff41", "a" * 65, "a" * 5000, "default\n", "$a", "%00", "<script>", "a|b"),
    *("\u202eabc", "\U0001f600"),
]


def part(name: str, content: bytes = b"1", more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


def picture(more: str = "") -> bytes:
    return part("frame", FRAME, f'; filename="f.jpg"{more}')


END = b"--b--\r\n"
BODIES: dict[str, tuple[str, bytes, set[int]]] = {
    "nothing": (KIND, b"", {400}),
    "no boundary": ("multipart/form-data", picture() + END, {400}),
    "an empty boundary": ("multipart/form-data; boundary=", picture() + END, {400}),
    "another boundary": ("multipart/form-data; boundary=c", picture() + END, {400}),
    "a boundary of 5000": (f"multipart/form-data; boundary={'b' * 5000}", picture() + END, {400}),
    "a boundary with quotes": ('multipart/form-data; boundary="b"', picture() + END, {202}),
    "a boundary and a charset": ('multipart/form-data; charset=utf-7; boundary="b"; x=y', picture() + END, {202}),
    "two boundaries": ("multipart/form-data; boundary=b; boundary=c", picture() + END, {202, 400}),
    "a boundary of bytes": ("multipart/form-data; boundary=\u00e4", picture() + END, {400}),
    "capital letters": ("Multipart/Form-Data; Boundary=b", picture() + END, {202}),
    "another type": ("application/json", b"{}", {415}),
    "a mixed type": ("multipart/mixed; boundary=b", picture() + END, {415}),
    "a type of nothing": (";;;", picture() + END, {415}),
    "no end": (KIND, picture(), {400}),
    "half an end": (KIND, picture() + b"--b-", {400}),
    "no headers": (KIND, b"--b\r\n\r\nx\r\n" + END, {400}),
    "no name": (KIND, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, {400}),
    "headers of 100 KB": (KIND, b"--b\r\nX: " + b"y" * 100_000 + b"\r\n\r\nx\r\n" + END, {400}),
    "10 000 headers": (KIND, b"--b\r\n" + b"X: y\r\n" * 10_000 + b"\r\nx\r\n" + END, {400}),
    "line feeds alone": (KIND, (part("a") + END).replace(b"\r\n", b"\n"), {400}),
    "a body in a body": (KIND, part("frame", b"--c\r\n\r\nx\r\n--c--", '; filename="f"') + END, {400}),
    "10 000 parts": (KIND, part("a") * 10_000 + END, {413}),
    "10 000 frames of nothing": (KIND, part("frame", b"", '; filename="f"') * 10_000 + END, {413}),
    "65 frames": (KIND, part("frame", b"x", '; filename="f"') * 65 + END, {400}),
    "a field of 1 MB": (KIND, part("a", b"x" * 1_000_000) + picture() + END, {400}),
    "a frame that is a field": (KIND, part("frame", FRAME[:4000]) + END, {400}),
    "a session that is a file": (KIND, part("session_id", b"x", '; filename="f"') + picture() + END, {202}),
    "fields that contradict": (KIND, part("session_id", b"a") + part("session_id", b"b") + picture() + END, {400}),
    "fields of no use": (KIND, part("__proto__") + part("constructor[x]") + picture() + END, {202}),
    "a name with a break": (KIND, picture("\r\nX-Evil: 1") + END, {202}),
    "a name with bytes": (KIND, part("frame", FRAME, '; filename="\x01\x02../../etc/passwd"') + END, {202}),
    "a name in another coding": (KIND, part("frame", FRAME, "; filename*=UTF-8''%2e%2e%2fx") + END, {202, 400}),
    "a name in a coding that nobody knows": (KIND, part("frame", FRAME, "; filename*=x-none''%ff") + END, {202, 400}),
    "a name without an end": (KIND, part("frame", FRAME, '; filename="f') + END, {202}),
    "a transfer coding": (KIND, picture("\r\nContent-Transfer-Encoding: base64") + END, {202}),
    "something before and after": (KIND, b"preamble\r\n" + picture() + END + b"after" * 100, {202}),
    "nothing but boundaries": (KIND, b"--b\r\n" * 200_000, {400, 413}),
    "nothing but line breaks": (KIND, b"\r\n" * 2_000_000, {400}),
    "nothing but dashes": (KIND, b"-" * 4_000_000, {400}),
    "half boundaries": (KIND, b"\r\n--" * 1_000_000, {400}),
}


@pytest.mark.parametrize("chunked", [False, True])
def test_every_wrong_form_names_what_is_wrong(target: Target, chunked: bool):
    for name, (kind, body, expected) in BODIES.items():
        content = iter([body[:7], body[7:]]) if chunked and body else body
        answer = target.ask("POST", MEASURE, content=content, headers={"Content-Type": kind.encode("utf-8")})
        assert answer.status_code in expected, (name, answer.text)
    assert target.slowest_s < 30
    target.ask("DELETE", "/api/rppg/sessions/default")
    target.ask("DELETE", "/api/rppg/sessions/x")


def test_the_same_forms_harm_no_upload(target: Target):
    session = target.ask("POST", "/v1/scan-session").json()["session_id"]
    for name, (kind, body, _) in BODIES.items():
        content = body.replace(b'"frame"', b'"file"')
        answer = target.ask(
            "POST", f"/v1/scan-session/{session}/video", content=content, headers={"Content-Type": kind.encode("utf-8")}
        )
        assert answer.status_code in (400, 413, 415), (name, answer.text)
    assert list((target.service.data_dir / "spool").glob("*")) == []
    assert target.ask("GET", f"/v1/scan-session/{session}/vitals").json()["status"] == "pending"


def test_a_body_that_is_packed_is_not_unpacked(target: Target):
    packed = gzip.compress(picture() + END)
    answer = target.ask("POST", MEASURE, content=packed, headers={"Content-Type": KIND, "Content-Encoding": "gzip"})
    assert answer.status_code == 400


@pytest.mark.parametrize("length", ["10", "1000000"])
def test_a_body_that_breaks_off_or_goes_on_is_a_400(target: Target, length: str):
    head = f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {target.key}\r\nContent-Type: {KIND}\r\n"
    answer = target.raw(f"{head}Content-Length: {length}\r\n\r\n".encode() + picture(), ends=True)
    assert answer.split()[1] == b"400"


def test_an_early_refusal_needs_no_body(target: Target):
    head = (
        f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\nContent-Type: {KIND}\r\nExpect: 100-continue\r\nContent-Length: 0\r\n"
    )
    answer = target.raw(f"{head}X-API-Key: {target.key}\r\n\r\n".encode())
    assert b" 400 " in answer
    assert b" 401 " in target.raw(f"{head}\r\n".encode())


@pytest.mark.parametrize("field", ["timestamp_ms", "fps", "duration_ms", "include_raw"])
def test_what_is_no_number_is_named(target: Target, field: str):
    for sent in NO_NUMBERS:
        if (field, sent) == ("include_raw", "true"):
            continue
        answer = target.ask("POST", MEASURE, files={"frame": ("f", FRAME)}, data={field: sent, "session_id": "numbers"})
        assert answer.status_code == 400, (sent, answer.text)
        assert answer.json()["error"]["code"] == "INVALID_PARAMETER"
        assert field in answer.json()["error"]["message"]
    assert target.ask("GET", "/api/rppg/sessions/numbers").status_code == 404


def test_numbers_that_are_odd_and_mean_something_are_taken(target: Target):
    for sent in ("-0", "+1", "007", "1.", "1e3", "1E+3", "0.0001", "8999999999999.999"):
        data = {"timestamp_ms": sent, "session_id": "odd"}
        answer = target.ask("POST", MEASURE, files={"frame": ("f", FRAME)}, data=data)
        assert answer.status_code == 202, (sent, answer.text)
        target.ask("DELETE", "/api/rppg/sessions/odd")


def test_no_name_of_a_person_leads_anywhere_else(target: Target):
    store = connect(running_url(target.service.data_dir))
    before = set(store.scan_iter())
    for sent in NO_SESSIONS:
        answer = target.ask("POST", MEASURE, files={"frame": ("f", FRAME)}, data={"session_id": sent})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_PARAMETER"), sent
        assert "session_id" in answer.json()["error"]["message"]
        if sent and len(sent) < 1000:  # longer ones are no address
            for method in ("GET", "DELETE"):
                path = f"/api/rppg/sessions/{quote(sent, safe='')}"
                assert target.ask(method, path).status_code == 404, sent
                assert target.ask("GET", f"/api/rppg/measurements/{quote(sent, safe='')}").status_code == 404
                assert target.ask("GET", f"/v1/scan-session/{quote(sent, safe='')}/vitals").status_code == 404
    assert not [key for key in set(store.scan_iter()) - before if b"usage" not in key and b"LIMITER" not in key]


BAD_JSON: dict[str, bytes] = {
    "depth": b"[" * 8000 + b"]" * 8000,
    "depth of objects": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "half": b'{"name": "x',
    "a number": b"5",
    "a list": b"[1, 2]",
    "null": b"null",
    "NaN": b"NaN",
    "bytes": b"\xff\xfe\x00",
    "a comment": b'{"name": "x" /* y */}',
    "many digits": b"9" * 10_000,
}


@pytest.mark.parametrize(("path", "field"), [("/api/keys", "name"), ("/v1/scan-session", "webhook_url")])
def test_wrong_json_names_what_is_wrong(target: Target, path: str, field: str):
    headers = {"Content-Type": "application/json"}
    for name, body in BAD_JSON.items():
        answer = target.ask("POST", path, content=body, headers=headers)
        assert answer.status_code == 400, (name, answer.text)
    values = (
        5,
        1e308,
        float("nan"),
        True,
        [],
        {},
        ["x"],
        {"a": 1},
        "x" * 10_000,
        "\ud800",
        "a\x00b",
        "\u202e",
        "http://\ud800",
    )
    for value in values:
        answer = target.ask("POST", path, content=json.dumps({field: value}), headers=headers)
        assert answer.status_code in (201, 400, 422, 429), (value, answer.text)
        if not isinstance(value, str):
            assert answer.status_code in (400, 422), value
    twice = b'{"%s": 5, "%s": [], "__proto__": {"x": 1}}' % (field.encode(), field.encode())
    assert target.ask("POST", path, content=twice, headers=headers).status_code in (400, 422)
    assert target.ask("POST", path, content=b" " * 1_000_000, headers=headers).status_code == 413
