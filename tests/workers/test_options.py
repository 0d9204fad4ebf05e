"""Options and their keys: what is changed in a copy changes the key of the copy."""

from __future__ import annotations

from quackllm.workers.options import Options


def test_changed_options_have_a_key_of_their_own() -> None:
    options = Options(temperature=0.2)
    before = options.cache_key_json, hash(options)
    changed = options.with_changes(draw=3)
    assert changed == Options(temperature=0.2, draw=3)
    assert (changed.cache_key_json, hash(changed)) != before
    assert changed.cache_key_json == Options(temperature=0.2, draw=3).cache_key_json
