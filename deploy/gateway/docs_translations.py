"""The Chinese texts of the OpenAPI page, by the English ones; a test checks that none is missing."""

from __future__ import annotations

CHINESE: dict[str, str] = {
    # tags
    "chat": "对话",
    "embeddings": "向量",
    "models": "模型",
    "operations": "运维",
    "text2sql": "文本转 SQL",
    "byzer": "Byzer",
    "chat2db": "Chat2DB",
    # the page
    "Every deployed model in OpenAI's dialect, and questions about databases. Send the API key as a bearer token. "
    "The same request has one answer, paid for once; `draw`, `seed` or `Cache-Control: no-cache` asks anew.": (
        "用 OpenAI 的接口调用每一个已部署的模型，也可以就数据库提问。API key 以 Bearer 令牌发送。"
        "相同的请求得到相同的答案，只付一次费；`draw`、`seed` 或 `Cache-Control: no-cache` 会重新提问。"
    ),
    "made by `quackllm keys add`; none where the gateway has no keys": (
        "由 `quackllm keys add` 生成；网关未配置 key 时不需要"
    ),
    "Successful Response": "成功",
    "Refused; the reply says why": "被拒绝；回复说明原因",
    "The model, its service or the gateway failed; the reply says why": ("模型、其服务或网关出错；回复说明原因"),
    "An error in OpenAI's format.": "错误，格式与 OpenAI 客户端一致。",
    "The error; `code` is the provider's own if the provider refused.": (
        "出了什么问题；若是服务商拒绝，`code` 是服务商自己的代码。"
    ),
    # OpenAI's routes
    "Answer a conversation": "回答一段对话",
    "Answer the last message; the client sends the whole conversation each time.": (
        "回答最后一条消息；对话由调用方保存，每次全部发送。"
    ),
    "Answer a text": "回答一段文本",
    "Answer one prompt or several; each is a conversation of one turn.": "回答一个或多个提示词：每个都是一轮对话。",
    "Turn texts into vectors": "把文本变成向量",
    "Return one vector for each text, in order; `usage` is estimated from the text length.": (
        "按顺序为每段文本返回一个向量；引擎不报告用量，`usage` 按文本长度估计。"
    ),
    "List the models": "列出模型",
    "Return the models that the API key may call, by name.": "按名称返回该 key 可以调用的模型。",
    "Show one model": "查看一个模型",
    "Return one model.": "返回一个模型。",
    # operations
    "Whether the process runs": "进程是否存活",
    "Answer at once, without any check.": "立即回答，不做任何查询。",
    "Whether requests can be answered": "是否可以处理请求",
    "Answer 200 if the models and the keys can be read, else 503 with the reason.": (
        "能读取模型和 key 时返回 200，否则返回 503 和原因。"
    ),
    "Metrics for Prometheus": "Prometheus 指标",
    "Return the metrics of this process; an API key is required if keys exist.": (
        "返回本进程对请求和模型的统计；配置了 key 时需要 key。"
    ),
    # bodies
    "a deployed model's name": "已部署模型的名称",
    "left out: 0, the likeliest answer": "省略时为 0，即最可能的答案",
    "another seed requests another answer; the same seed gives the same answer": (
        "换一个种子得到另一个答案；相同的种子得到相同的答案"
    ),
    "number of answers, each sampled separately": "返回这么多个答案，每个单独抽样",
    "another number requests a new answer to the same request": "换一个数字，就同一请求得到新的答案",
    "fields passed to the service as they are": "原样传给服务的字段",
    "accepted and ignored": "接受，但不使用",
    "the newer name of max_tokens": "max_tokens 的新名称",
    "The body of `POST /v1/chat/completions`.": "`POST /v1/chat/completions` 的请求体。",
    "One message; fields that a client's library adds to an earlier answer are ignored.": (
        "一条消息；客户端库在回传答案时附加的字段会被接受但不使用。"
    ),
    "The body of `POST /v1/completions`; token ids are not supported.": (
        "`POST /v1/completions` 的请求体；不接受 token id。"
    ),
    "a deployed embedding model": "能生成向量的已部署模型",
    "must be the length of the model's vectors, or left out": "必须与模型的维数一致，或省略",
    "The body of `POST /v1/embeddings`; token ids are not supported.": (
        "`POST /v1/embeddings` 的请求体；不接受 token id。"
    ),
    "An image in a message.": "消息中的图片。",
    "an address, or `data:image/png;base64,…`": "网址，或 `data:image/png;base64,…`",
    "Where an image is.": "图片的位置。",
    "Options of a stream; unknown ones are ignored.": "流式输出的格式；不认识的字段不起作用。",
    "a text, or parts: texts, images, and whatever else the service accepts": "文本，或由文本、图片等组成的列表",
    "A piece of text in a message.": "消息中的一段文字。",
    # text2sql
    "A question to SQL": "问题转 SQL",
    "Return the SQL for a question, and whether the database accepts it; with `run`, its first rows.": (
        "返回回答问题的 SQL，以及数据库是否接受它；带 `run` 时同时返回前若干行。"
    ),
    "The body of `POST /text2sql`: the first two fields are those of XiYan's service.": (
        "`POST /text2sql` 的请求体：前两个字段与析言服务一致。"
    ),
    "in any language": "任何语言",
    "DDL or M-Schema text; of a database also names of its tables; left out: all of it": (
        "DDL 或 M-Schema 文本；已配置数据库时也可以是表名；省略时为整个数据库"
    ),
    "one of `databases.yaml`; left out: the only one there": "`databases.yaml` 中的一个；省略时为其中唯一的一个",
    "the SQL dialect, with `db_schema`; left out: DuckDB's": "只有 `db_schema` 时要写的 SQL 方言；省略时为 DuckDB",
    "additional information for the model": "模型还应知道的参考信息",
    "left out: the only one deployed, else the built-in one; several with commas vote": (
        "省略时为唯一已部署的模型，否则为内置模型；用逗号分隔的多个模型会投票"
    ),
    "Markdown on the data, beside the notes that the database has": "关于数据的 Markdown 说明，补充数据库已有的说明",
    "how many verified examples the model is shown": "给模型看多少个已核实的示例",
    "how many answers are drawn at most; the largest group wins": "最多抽取多少个答案；数量最多的一组胜出",
    "return `alternatives` and `prompt` too": "同时返回 `alternatives` 和 `prompt`",
    "decline below this confidence; left out: `llm_min_confidence` of settings.yaml": (
        "置信度低于此值时不作答；不填时取 settings.yaml 的 `llm_min_confidence`"
    ),
    "a deployed model that makes embeddings": "能生成向量的已部署模型",
    "The body of `POST /v1/embeddings`.": "`POST /v1/embeddings` 的请求体。",
    "run the SQL on the database, which it cannot change": "在数据库上执行该 SQL；它不能修改数据库",
    "maximum number of rows that `run` returns": "`run` 最多返回的行数",
    # MCP
    "The Model Context Protocol": "模型上下文协议（MCP）",
    "Answer a client of the Model Context Protocol (streamable HTTP, without sessions).": (
        "回答模型上下文协议的客户端（可流式 HTTP，无会话）。"
    ),
    # Chat2DB
    "Chat2DB's custom AI": "Chat2DB 的自定义 AI",
    "Return a plain JSON string; a chat model gets the prompt unchanged, others the question in their own form.": (
        "返回单个 JSON 字符串；对话模型收到原样的提示词，其他模型按其自己的格式被提问。"
    ),
    "The body that Chat2DB sends. Its versions send various other fields; unknown ones are ignored.": (
        "Chat2DB 发送的内容。各版本还会发送其他字段，未知字段会被忽略。"
    ),
    "a question with its tables, as Chat2DB writes it; some versions call it `question`": (
        "带表结构的问题，由 Chat2DB 生成；有的版本称之为 `question`"
    ),
    "An earlier message of the conversation.": "之前对话中的一条消息。",
    "earlier turns: [question, answer], or {role, content}": "之前的对话：[问, 答] 或 {role, content}",
    "maximum number of tokens of the answer": "答案的最大 token 数",
    # Byzer
    "Byzer's REST": "Byzer 的 REST 接口",
    'Return one object a row; an answer is a list of JSON texts: `json.loads(reply[0]["value"][0])["output"]`.': (
        '每行返回一个对象；答案是 JSON 文本的列表：`json.loads(reply[0]["value"][0])["output"]`。'
    ),
    "The form fields of Byzer's endpoint; those about its sessions are ignored.": (
        "Byzer 接口的表单字段；与会话有关的字段在这里不起作用。"
    ),
    "a select list, without FROM": "选择列表，不含 FROM",
    "a JSON array, as text": "文本形式的 JSON 数组",
    "string: each element is `feature`; row: its keys are the columns": (
        "string：每个元素为 `feature`；row：对象的键为列"
    ),
}
