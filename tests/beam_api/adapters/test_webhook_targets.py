"""Where a webhook may go, and that what was checked is what is called."""

from ipaddress import ip_address

import pytest

from beam_api.adapters.webhook_targets import AllowedHost, TargetRefused, check_url, is_public, resolve_target


def allow(*entries):
    return [AllowedHost.parse(entry) for entry in entries]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com/hook",
        "javascript:alert(1)",
        "http://",
        "https://exa mple.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://user:pass@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://exämple.com/",
        "https://example.com/" + "a" * 2048,
        "http://localhost/",
        "http://api.localhost:8000/",
        "http://LOCALHOST./",
        "http://intranet/",
        "http://printer.local/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://192.0.0.192/opc/v1/instance/",
        "http://192.88.99.1/",
        "http://[fec0::1]/",
        "http://[3fff::1]/",
        "http://a..example.com/",
        "http://.example.com/",
        "http://" + "a" * 64 + ".example.com/",
        "http://" + "a." * 126 + "com/",
        "http://%31%32%37.0.0.1/",
        "http://[v1.x]/",
    ],
)
def test_a_url_that_is_none_or_leads_inside_is_refused(url):
    with pytest.raises(TargetRefused):
        check_url(url, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://hooks.example.com:8080/a?b=c",
        "https://93.184.215.14/",
        "https://[2606:4700::1111]/",
        "https://xn--exmple-cua.com./",
        "https://my_hooks.example.com/",
    ],
)
def test_a_public_url_is_taken(url):
    check_url(url, [])


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("localhost", "http://localhost:8123/hook"),
        ("127.0.0.1", "http://127.0.0.1/"),
        ("127.0.0.1:8123", "http://127.0.0.1:8123/"),
        ("127.0.0.0/8", "http://127.1:9/"),
        ("[::1]:8123", "http://[::1]:8123/"),
        ("::1", "http://[::1]/"),
        ("hooks.internal:443", "https://hooks.internal/"),
    ],
)
def test_the_operator_may_allow_a_private_host(entry, url):
    check_url(url, allow(entry))
    with pytest.raises(TargetRefused):
        check_url(url, allow("other.internal", "another.example.com:1"))


@pytest.mark.parametrize("entry", ["", "10.0.0.0/99", "host:0", "host:port", "a/b", "[::1]:x"])
def test_a_malformed_entry_is_refused(entry):
    with pytest.raises(ValueError):  # noqa: PT011 - whoever reads the setting reports what is wrong with it
        AllowedHost.parse(entry)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1"])
def test_a_public_name_that_resolves_inside_is_refused(address):
    with pytest.raises(TargetRefused):
        resolve_target("https://example.com/", [], lambda _host, _port: [address])


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    with pytest.raises(TargetRefused):
        resolve_target("https://example.com/", [], lambda _host, _port: ["93.184.215.14", "10.0.0.1"])


def test_a_resolver_that_changes_its_answer_is_asked_once():
    answers = iter(["93.184.215.14", "127.0.0.1"])
    target = resolve_target("https://example.com/", [], lambda _host, _port: [next(answers)])
    assert target.addresses == ("93.184.215.14",)
    assert next(answers) == "127.0.0.1"


def test_an_allowed_network_covers_a_name_that_resolves_into_it():
    resolve = {"hooks.example.com": ["10.1.2.3"]}
    target = resolve_target("https://hooks.example.com/", allow("10.0.0.0/8"), lambda host, _port: resolve[host])
    assert (target.host, target.port, target.addresses) == ("hooks.example.com", 443, ("10.1.2.3",))


def test_of_a_host_s_addresses_those_that_are_allowed_are_taken():
    target = resolve_target("http://localhost/", allow("127.0.0.1"), lambda _host, _port: ["::1", "127.0.0.1"])
    assert target.addresses == ("127.0.0.1",)
    check_url("http://localhost/", allow("127.0.0.1"))


def test_addresses_of_the_public_network_are_public():
    assert all(is_public(ip_address(a)) for a in ("1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"))
