"""The vendors' own clients against a gateway: each chats, streams, calls tools and makes embeddings, by its defaults.

    python tests/clients/vendor_clients.py http://127.0.0.1:8000 openai dashscope zai zhipuai langchain litellm

needs the packages of the clients that it names, and no quackllm: `make test-clients` runs it in environments of its
own, since two of the packages want different versions of a third. The models `glm-4` and `qwen-plus` answer through
the stand-in service, `builtin_text2sql` is the gateway's own. It prints one line of JSON a client: its package's
version, and what it saw.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

KEY = os.environ.get("GATEWAY_KEY", "none")
QUESTION = "What is the weather?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = """
【DB_ID】 shop
【Schema】
# Table: singer
[
(id:INTEGER, Primary Key),
(name:VARCHAR)
]
"""
"""As the built-in model reads it: M-Schema, in the system message."""

SEED = '''\
import zhipuai

# 设置 ZHIPUAI_API_KEY 密钥
# 如果设置了环境变量ZHIPUAI_API_KEY就可以不再设置
client = zhipuai.ZhipuAI(
    api_key="我的zhipuai apiKey"
)  # 填写您自己的APIKey

# 提示词
prompt = """You are a powerful text-to-SQL model. Your job is to answer questions about a database. You are given a \
question and context regarding one or more tables.

You must output the SQL query that answers the question.
### Input:
Which Class has a Frequency MHz larger than 91.5, and a City of license of hyannis, nebraska?

### Context:
CREATE TABLE table_name_12 (class VARCHAR, frequency_mhz VARCHAR, city_of_license VARCHAR)

### Response:
"""

# 使用 ZHIPUAI API 进行请求
chat_completion = client.chat.completions.create(
    model="glm-4", messages=[{"role": "user", "content": prompt}]
)

# 提取生成的回复文本
print(chat_completion.choices[0].message.content)
'''
"""The first block of the Zhipu quick start, to the letter; its key is the reader's own."""


def openai_client(address: str) -> dict[str, Any]:
    """OpenAI's."""
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY)
    return through_openai(client, "glm-4") | {"built-in": built_in(client)}


def dashscope(address: str) -> dict[str, Any]:
    """DashScope's compatible mode: OpenAI's client, with the fields that Qwen's models take beside."""
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY)
    own = {"enable_thinking": False, "enable_search": True, "repetition_penalty": 1.05, "top_k": 20}
    return through_openai(client, "qwen-plus", extra_body=own)


def through_openai(client: Any, model: str, **more: Any) -> dict[str, Any]:
    """Ask by OpenAI's methods, which other vendors' clients copy."""
    messages = [{"role": "user", "content": "hello"}]
    chat = client.chat.completions.create(model=model, messages=messages, **more)
    pieces = client.chat.completions.create(model=model, messages=messages, stream=True, **more)
    asked = [{"role": "user", "content": QUESTION}]
    call = client.chat.completions.create(model=model, messages=asked, tools=[WEATHER], tool_choice="auto", **more)
    message = call.choices[0].message
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Sunny."}
    sent_back = {"role": "assistant", "content": message.content, "tool_calls": [message.tool_calls[0].model_dump()]}
    end = client.chat.completions.create(model=model, messages=[*asked, sent_back, told], tools=[WEATHER], **more)
    vectors = client.embeddings.create(model=model, input=["one", "two"])
    return {
        "chat": chat.choices[0].message.content,
        "stream": "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices),
        "tools": json.loads(message.tool_calls[0].function.arguments),
        "after tools": end.choices[0].message.content,
        "embeddings": [len(item.embedding) for item in vectors.data],
    }


def built_in(client: Any) -> str:
    """Ask the built-in model, which answers questions about a schema."""
    messages = [{"role": "system", "content": SCHEMA}, {"role": "user", "content": "How many singers are there?"}]
    answer: str = client.chat.completions.create(model="builtin_text2sql", messages=messages).choices[0].message.content
    chunks = list(client.chat.completions.create(model="builtin_text2sql", messages=messages, stream=True))
    assert answer == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return answer


def zai(address: str) -> dict[str, Any]:
    """Zhipu's, the newer package."""
    import zai as package

    client = package.ZhipuAiClient(base_url=f"{address}/v1", api_key=KEY)
    client.chat.completions.create(
        model="glm-4",
        messages=[{"role": "user", "content": "think"}],
        thinking={"type": "enabled"},
        do_sample=True,
        user_id="user-1",
        request_id="request-1",
    )
    return through_openai(client, "glm-4") | {"built-in": built_in(client)}


def zhipuai(address: str) -> dict[str, Any]:
    """Zhipu's, the package of the quick start: its first block, with the address in the environment."""
    import zhipuai as package

    os.environ["ZHIPUAI_BASE_URL"] = f"{address}/v1"
    printed: list[str] = []
    exec(SEED.replace("我的zhipuai apiKey", KEY), {"print": printed.append})
    return through_openai(package.ZhipuAI(api_key=KEY), "glm-4") | {"seed": printed[0][:60]}


def langchain(address: str) -> dict[str, Any]:
    """LangChain's OpenAI classes."""
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    model = ChatOpenAI(model="glm-4", base_url=f"{address}/v1", api_key=KEY)
    call = model.bind_tools([WEATHER]).invoke(QUESTION)
    told = {"role": "tool", "tool_call_id": call.tool_calls[0]["id"], "content": "Sunny."}
    end = model.bind_tools([WEATHER]).invoke([{"role": "user", "content": QUESTION}, call, told])
    embedder = OpenAIEmbeddings(model="glm-4", base_url=f"{address}/v1", api_key=KEY)  # It sends token ids.
    return {
        "chat": model.invoke("hello").content,
        "stream": "".join(str(chunk.content) for chunk in model.stream("hello")),
        "tools": call.tool_calls[0]["args"],
        "after tools": end.content,
        "embeddings": [len(vector) for vector in embedder.embed_documents(["one", "two"])],
        "structured": model.with_structured_output(WEATHER["function"], method="json_schema").invoke("hello"),
    }


def litellm(address: str) -> dict[str, Any]:
    """LiteLLM, as a client."""
    import litellm as package

    def ask(text: str, **more: Any) -> Any:
        messages = [{"role": "user", "content": text}]
        return package.completion(**{"model": "openai/glm-4", "messages": messages, **place, **more})

    place = {"api_base": f"{address}/v1", "api_key": KEY}
    message = ask(QUESTION, tools=[WEATHER]).choices[0].message
    told = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Sunny."}
    asked = [{"role": "user", "content": QUESTION}, message.model_dump(), told]
    vectors = package.embedding(model="openai/glm-4", input=["one", "two"], **place)
    return {
        "chat": ask("hello").choices[0].message.content,
        "stream": "".join(chunk.choices[0].delta.content or "" for chunk in ask("hello", stream=True)),
        "tools": json.loads(message.tool_calls[0].function.arguments),
        "after tools": ask("", messages=asked, tools=[WEATHER]).choices[0].message.content,
        "embeddings": [len(item["embedding"]) for item in vectors.data],
    }


CLIENTS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "openai": ("openai", openai_client),
    "dashscope": ("openai", dashscope),
    "zai": ("zai-sdk", zai),
    "zhipuai": ("zhipuai", zhipuai),
    "langchain": ("langchain-openai", langchain),
    "litellm": ("litellm", litellm),
}

if __name__ == "__main__":
    for name in sys.argv[2:]:
        package, run = CLIENTS[name]
        print(
            json.dumps({"client": name, package: version(package), **run(sys.argv[1])}, ensure_ascii=False), flush=True
        )
