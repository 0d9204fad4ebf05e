from __future__ import annotations

from quackllm.udf.session.session import default_model_hint


def test_hints_keep_the_cluster() -> None:
    assert "--cluster" not in default_model_hint("chat", None)
    hint = default_model_hint("chat", "10.0.0.1:6379")
    assert "connect(model='chat', cluster='10.0.0.1:6379')" in hint
    assert hint.endswith("quackllm chat chat --cluster 10.0.0.1:6379")
