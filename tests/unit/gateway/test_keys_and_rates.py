"""API keys and rates by themselves: what a guesser, a thief of an old key and a crowd of addresses get."""

import hashlib
import hmac
import logging

import pytest

from triptych.errors import InvalidInput
from triptych.gateway import keys as module
from triptych.gateway.keys import Keys
from triptych.gateway.rate import MOST_CALLERS, Rates, network_of

ONE, OTHER, THIRD = "one-key-of-a-test", "other-key-of-a-test", "third-key-of-a-test"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    return tmp_path / "keys"


def replaced(file, text):
    """As a tool that exchanges keys does: a new file in the place of the old one."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def test_several_keys_and_what_they_are_known_by(file):
    hashed = hashlib.sha256(OTHER.encode()).hexdigest()
    file.write_text(f"# of the album\n{ONE}   # Ann\n\nsha256:{hashed}\n")
    keys = Keys(THIRD, file)
    callers = [keys.caller(key) for key in (ONE, OTHER, THIRD)]
    assert len(set(callers)) == 3 and None not in callers
    assert callers[1] == hashed[:12]
    for wrong in (
        "",
        ONE[:-1],
        f"{ONE} ",
        ONE.upper(),
        hashed,
        f"sha256:{hashed}",
        "# of the album",
        "Ann",
        "\x00",
        "é" * 20,
        "x" * 100_000,
    ):
        assert keys.caller(wrong) is None


def test_keys_are_exchanged_without_a_restart(file, caplog):
    file.write_text(ONE)
    keys = Keys(None, file)
    replaced(file, f"{ONE}\n{OTHER}")
    assert keys.caller(ONE) and keys.caller(OTHER)
    replaced(file, OTHER)
    assert keys.caller(ONE) is None, "a key that was taken out is good no more"
    assert keys.caller(OTHER)
    assert not {ONE, OTHER} & set(caplog.text.split())


def test_a_file_that_cannot_be_read_lets_nobody_in_and_is_told(file, caplog):
    file.write_text(ONE)
    keys = Keys(None, file)
    for broken in (
        file.unlink,
        lambda: replaced(file, ""),
        lambda: replaced(file, "short"),
        lambda: file.write_bytes(b"\xff" * 30),
    ):
        broken()
        assert keys.caller(ONE) is None
        replaced(file, ONE)
        assert keys.caller(ONE)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 3, "an empty file has no key, which is no error"


def test_every_key_is_compared_whole_in_constant_time(file, monkeypatch):
    file.write_text(f"{ONE}\n{OTHER}")
    keys = Keys(None, file)
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda *pair: compared.append(pair) or real(*pair))
    for given in (ONE, OTHER, "wrong", ""):
        compared.clear()
        keys.caller(given)
        assert len(compared) == 2
        assert {len(part) for pair in compared for part in pair} == {32}, "digests, whose length tells nothing"


@pytest.mark.parametrize("text", ["", "short", "with a space in it", "sha256:abc", "sha256:" + "A" * 64])
def test_what_is_no_key_is_refused_at_the_start_and_not_shown(file, text):
    file.write_text(text)
    with pytest.raises(InvalidInput) as refusal:
        Keys(None, file)
    assert not text or text not in str(refusal.value)
    with pytest.raises(InvalidInput):
        Keys(text, None)
    file.unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        Keys(None, file)


def test_a_caller_has_a_burst_and_then_a_rate_and_no_part_in_another_s():
    clock = [0.0]
    rates = Rates(2.0, 3, lambda: clock[0])
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 1]
    assert rates.wait("b") == 0
    clock[0] = 0.5
    assert [rates.wait("a"), rates.wait("a")] == [0, 1]
    clock[0] = 1000.0
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 1], "tokens do not pile up"
    assert Rates(0.01, 1, lambda: 0.0).wait("a") == 0


def test_the_wait_that_is_told_is_enough():
    clock = [0.0]
    rates = Rates(0.25, 1, lambda: clock[0])
    assert [rates.wait("a"), rates.wait("a")] == [0, 4]
    clock[0] = 4.0
    assert rates.wait("a") == 0


def test_a_crowd_of_addresses_takes_no_more_memory_than_the_table():
    rates = Rates(1.0, 1)
    for number in range(2 * MOST_CALLERS):
        rates.wait(str(number))
    assert len(rates) == MOST_CALLERS


def test_a_household_s_ipv6_addresses_are_one_caller():
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth1")
    assert network_of("") == ""
