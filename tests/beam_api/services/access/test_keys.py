import re

import pytest

from beam_api.exceptions import InvalidParameter, NotFound, StoreUnavailable
from beam_api.services.access.keys import ID_LENGTH, TIERS, Keys, Token
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore


@pytest.fixture
def keys(redis):
    return Keys(KeyStore(redis))


@pytest.mark.parametrize(
    ("tier", "prefix", "limit"),
    [
        ("sandbox", "beam_sk_", 100),
        ("starter", "beam_sk_", 1000),
        ("enterprise", "beam_sk_", 10000),
        ("scan", "rppg_live_", 60),
    ],
)
def test_each_tier_has_its_prefix_and_limit(keys, tier, prefix, limit):
    made = keys.create("o", tier=tier)
    assert re.fullmatch(prefix + r"[A-Za-z0-9]{59}", made.key)
    assert (made.record.limit_per_minute, TIERS[tier]) == (limit, limit)
    assert made.key.startswith(made.record.prefix)
    assert made.key.endswith(made.record.last4)
    assert keys.get(made.record.key_id) == made.record


def test_an_enterprise_key_may_have_its_own_limit(keys):
    assert keys.create("o", tier="enterprise", limit_per_minute=12345).record.limit_per_minute == 12345


@pytest.mark.parametrize(
    "arguments",
    [
        {"owner": ""},
        {"owner": "o" * 201},
        {"owner": "o", "tier": "gold"},
        {"owner": "o", "limit_per_minute": 5},
        {"owner": "o", "tier": "enterprise", "limit_per_minute": 0},
        {"owner": "o", "name": "n" * 201},
    ],
)
def test_what_makes_no_sense_is_refused_and_keeps_nothing(keys, redis, arguments):
    with pytest.raises(InvalidParameter):
        keys.create(**arguments)
    assert redis.dbsize() == 0


def test_no_secret_is_kept(keys, redis):
    made = keys.create("o")
    secret = made.key.removeprefix("beam_sk_")[ID_LENGTH:]
    kept = b" ".join(redis.dump(name) + name for name in redis.scan_iter())
    assert made.record.digest.encode() in kept
    for start in range(len(secret) - 5):
        assert secret[start : start + 6].encode() not in kept


def test_keys_are_listed_in_the_order_of_their_making(keys):
    made = [keys.create(f"owner {i}").record for i in range(5)]
    assert sorted(keys.all(), key=lambda r: r.owner) == made
    assert [r.created_at for r in keys.all()] == sorted(r.created_at for r in made)


def test_a_revoked_key_stays_in_the_list_and_proves_nothing(keys):
    made = keys.create("o")
    token = Token.parse(made.key)
    assert token.proves(keys.get(made.record.key_id))
    revoked = keys.revoke(made.record.key_id)
    assert not revoked.active
    assert keys.all() == [revoked]
    assert not token.proves(keys.get(made.record.key_id))
    assert keys.revoke(made.record.key_id) == revoked


def test_a_key_proves_only_its_own_record(keys):
    one, other = keys.create("o"), keys.create("o")
    assert not Token.parse(one.key).proves(other.record)
    assert not Token.parse(one.key).proves(None)


def test_what_is_no_key_of_this_service_is_not_looked_up(keys):
    good = keys.create("o").key
    for bad in ("", "beam_sk_", good[:-1], good + "x", good[:-1] + "é", good[:-1] + "_", good.replace("_sk_", "_pk_")):
        assert Token.parse(bad) is None
    assert Token.parse("rppg_live_" + good.removeprefix("beam_sk_")).digest != Token.parse(good).digest


def test_an_unknown_id_is_not_found(keys):
    for verb in (keys.get, keys.revoke):
        with pytest.raises(NotFound):
            verb("nobody")


def test_a_store_that_is_unavailable_is_said_so(tmp_path):
    with pytest.raises(StoreUnavailable):
        Keys(KeyStore(connect(f"unix://{tmp_path}/none.sock"))).create("o")
