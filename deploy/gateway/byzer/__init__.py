"""Byzer's REST protocol."""
