// What the gateway says of questions and statements, in Chinese: it writes these sentences in English.
const REASONS: [english: string, chinese: string][] = [
  // The built-in model declines.
  ["there are no words in the question", "问题里没有文字"],
  ["this is no question about the data", "这不是关于数据的问题"],
  ["the built-in model only reads data; it changes, sends and creates nothing", "内置模型只读取数据，不修改、不发送、也不创建任何内容"],
  ["the built-in model reads English and Chinese only", "内置模型只懂英文和中文"],
  ["the built-in model knows none of these words", "内置模型不认识这些词"],
  ["the model cannot place {0}: no table of this question has a date", "模型无法处理 {0}：与此问题有关的表都没有日期"],
  ["nothing in the schema stands for {0}", "数据库中没有与 {0} 对应的内容"],
  ["the model is not sure enough of any query", "模型对所有查询都没有足够的把握"],
  ["the built-in model finds nothing in the schema that answers this", "内置模型在数据库中找不到能回答此问题的内容"],
  // What speaks against an answer.
  ["nothing in the SQL stands for {0}", "SQL 中没有与 {0} 对应的内容"],
  ["the query fails on the rows: {0}", "查询在这些行上出错：{0}"],
  ["the query gives no row", "查询没有结果行"],
  ["the query gives nothing but NULL", "查询结果全为 NULL"],
  ["the query ignores {0}", "查询没有用到 {0}"],
  ["no {0} of {1} is known to be {2}; there is e.g. {3}", "表 {1} 的 {0} 中没有已知的值 {2}；有例如 {3}"],
  ["no {0} of {1} is known to be {2}; there is {3}", "表 {1} 的 {0} 中没有已知的值 {2}；有 {3}"],
  ["{0} counts a row of {1} once for each of {2}", "{0} 按 {2} 的每一行重复计算了 {1} 的行"],
  // What was changed in the SQL.
  ["text in double quotes became text: {0}", "双引号中的文字改成了文本：{0}"],
  ["the table {0} is {1}", "表 {0} 实为 {1}"],
  ["the column {0} is {1}", "列 {0} 实为 {1}"],
  ["{0} is a column of {1}, which was joined", "{0} 是表 {1} 的列，已加上与它的连接"],
  ["{0} is {1}, which equals the others", "{0} 取 {1}，它与其他同名列相等"],
  ["of {0} any value of its group is taken", "{0} 取同组中的任意一个值"],
  ["{0} is taken from the row with the extreme", "{0} 取自最大或最小值所在的行"],
  ["an argument of {0} was cast", "{0} 的参数转换了类型"],
  ["{0} is written {1} in {2}", "{0} 在 {2} 中写作 {1}"],
  ["several models are deployed ({0}) and none is the default: {1} answered. Choose one in the list Model, e.g. {2}", "部署了多个模型（{0}），没有默认模型，由 {1} 回答。请在“模型”列表中选择，例如 {2}"],
  // No SQL.
  ["the answer holds no SQL. The model said: {0}", "回答中没有 SQL。模型的原话：{0}"],
  ["the answer holds no SQL", "回答中没有 SQL"],
  ["The query was: {0}", "查询为：{0}"],
  // What may not run.
  ["this cannot run here: {0}", "不能在此运行：{0}"],
  ["the generated SQL may not run: {0}", "生成的 SQL 不能运行：{0}"],
  ["it holds no statements", "其中没有语句"],
  ["it holds {0} statements", "其中有 {0} 条语句"],
  ["it cannot be parsed; it may be nested too deeply", "无法解析，可能嵌套太深"],
  ["DuckDB cannot read it: {0}", "DuckDB 无法解析：{0}"],
  ["it cannot be read as {0}: {1}", "无法按 {0} 的语法解析：{1}"],
  ["it is not a SELECT: {0}", "不是 SELECT 语句：{0}"],
  ["only one query is run here", "这里一次只运行一条查询"],
  ["the function {0} is called through a schema", "函数 {0} 不能带模式名调用"],
  ["the function {0} is not allowed", "不允许使用函数 {0}"],
  ["the table function {0} is not allowed", "不允许使用表函数 {0}"],
  ["{0} is a system table", "{0} 是系统表"],
  ["{0} is not a table of the schema; files and addresses are not read", "{0} 不是此数据库的表；不读取文件和网址"],
  ["{0} is not a table of the schema", "{0} 不是此数据库的表"],
  ["{0} is not allowed", "不允许使用 {0}"],
  ["text2sql runs one SELECT over the tables of its schema", "只能对此数据库的表运行一条 SELECT"],
  ["write one SELECT", "请写一条 SELECT"],
  ["did you mean {0}?", "是不是 {0}？"],
  ["there is: {0}", "有：{0}"],
  ["`error` says why: of a response, of {0} and of {1}", "`error`（回答的，{0} 的，{1} 的）"],
  // Limits, and rows without an answer.
  ["1 request got no complete answer: {0}. Each row's {1}.", "1 个请求没有得到完整的回答：{0}。见各行的 {1}。"],
  ["{0} requests got no complete answer: {1}. Each row's {2}.", "{0} 个请求没有得到完整的回答：{1}。见各行的 {2}。"],
  ["the rows are larger than {0} MB", "结果超过 {0} MB"],
  ["ask for fewer rows, or for shorter values", "请减少行数，或缩短值"],
  ["the statement takes more than {0}", "语句超过了 {0} 的限制"],
  ["read fewer rows; waiting for models does not count", "请减少读取的行数；等待模型的时间不计"],
  ["the query takes longer than {0} s", "查询超过 {0} 秒"],
  ["the query takes more memory than {0} MB", "查询使用的内存超过 {0} MB"],
  ["there was no answer within {0} s", "{0} 秒内没有回答"],
  ["the model {0} is not deployed, or this key may not ask it", "模型 {0} 没有部署，或此密钥不能调用它"],
  ["the statement stopped at its budget {0} = {1}: it spent {2}", "语句达到预算 {0} = {1} 后停止，已用 {2}"],
];

const PATTERNS = REASONS.map(([english, chinese]): [RegExp, string] => [
  RegExp(`^${english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "(.+?)")}$`, "s"),
  chinese,
]);

/** Returns what the gateway has said in Chinese, as far as it is known: whole, else line by line. */
export function inChinese(text: string): string {
  for (const [pattern, chinese] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return chinese.replace(/\{(\d)\}/g, (_, place: string) => inChinese(found[Number(place) + 1]!));
  }
  return text.includes("\n") ? text.split("\n").map(inChinese).join("\n") : text;
}
