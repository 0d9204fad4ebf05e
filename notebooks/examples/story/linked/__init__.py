"""The prompt format of small models: `prompt_form=linked:LINKED`; the folder above is on PYTHONPATH."""

from quackllm.udf.text2sql.prompts.formats import PromptFormat, no_repair

from .prompt import INDEX_TOKENS, ask_linked, read_linked, write_linked

LINKED = PromptFormat("linked:LINKED", ask_linked, no_repair, read=read_linked, write=write_linked)

__all__ = ["INDEX_TOKENS", "LINKED", "ask_linked", "read_linked", "write_linked"]
