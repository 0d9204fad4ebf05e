// A conversation with a model: it grows while it comes, can be stopped, and is SQL to copy.
import { useEffect, useRef, useState } from "preact/hooks";
import { GatewayError, lines } from "./api";
import type { Failure, Model } from "./api";
import { Markdown } from "./markdown";
import { Button, CopyButton, Empty, ErrorBox, Icon, Select, Spinner, useGrowing, useShell, wasStopped } from "./parts";
import { count, money } from "./text";
import type { Say, Word } from "./text";

interface Said { role: "user" | "assistant"; content: string; reasoning?: string; note?: Word; foot?: string; model?: string }
interface Chunk {
  choices?: { delta?: { content?: string; reasoning_content?: string }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number };
  error?: Failure;
}
const SAVED = "quackllm-chat";

function saved(): { said: Said[]; system: string } {
  try {
    return { said: [], system: "", ...(JSON.parse(sessionStorage.getItem(SAVED) ?? "{}") as object) };
  } catch {
    return { said: [], system: "" };
  }
}

export function ChatPage() {
  const { say, session, needKey } = useShell();
  const models = session.models.filter((model) => model.chats);
  const real = models.filter((model) => model.type !== "echo");
  const [before] = useState(saved);
  const [said, setSaid] = useState<Said[]>(before.said);
  const [system, setSystem] = useState(before.system);
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const stopper = useRef<AbortController | null>(null);
  const end = useRef<HTMLDivElement>(null);
  const field = useGrowing(text, 200);
  const model = models.find((each) => each.name === name) ?? real[0] ?? models[0];
  useEffect(() => {
    if (!busy) sessionStorage.setItem(SAVED, JSON.stringify({ said, system }));
  }, [said, system, busy]);
  useEffect(() => {
    const nearEnd = said.at(-2)?.role === "user" && !said.at(-1)?.content || window.innerHeight + window.scrollY > document.body.scrollHeight - 240;
    if (nearEnd && said.length) end.current?.scrollIntoView({ block: "end" });
  }, [said]);
  useEffect(() => () => stopper.current?.abort(), []);

  const send = async (history: Said[]) => {
    const own = (stopper.current = new AbortController());
    const began = performance.now();
    const answer: Said = { role: "assistant", content: "", model: model!.name };
    setBusy(true);
    setError(null);
    setSaid([...history, answer]);
    try {
      await read(model!, system, history, own.signal, (change) => {
        Object.assign(answer, change);
        setSaid([...history, { ...answer }]);
      });
    } catch (failure) {
      if (wasStopped(failure)) answer.note = "stopped";
      else {
        if (failure instanceof GatewayError && failure.status === 401) needKey();
        setError(failure);
      }
    }
    const seconds = say("seconds", ((performance.now() - began) / 1000).toFixed(1));
    answer.foot = [answer.foot, seconds].filter(Boolean).join(" · ");
    setSaid(answer.content || answer.reasoning ? [...history, answer] : history);
    setBusy(false);
  };
  const submit = () => {
    const plain = text.trim();
    if (!plain || busy || !model) return;
    setText("");
    void send([...said.filter((one) => one.content), { role: "user", content: plain }]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  const clear = () => {
    stopper.current?.abort();
    setSaid([]);
    setError(null);
    field.current?.focus();
  };
  const asked = said.at(-1)?.role === "assistant" ? said.slice(0, -1) : said;
  return (
    <div class="page chat-page column">
      <header class="page-head with-actions">
        <div>
          <h1>{say("chatTitle")}</h1>
          <p>{say("chatLead")}</p>
        </div>
        {said.length > 0 && (
          <div class="actions">
            {model && <CopyButton text={chatSql(said[asked.length]?.model ?? model.name, system, asked)} word="asSql" title={say("asSqlHelp")} />}
            <Button icon="plus" onClick={clear}>{say("newChat")}</Button>
          </div>
        )}
      </header>
      {!real.length && <p class="notice">{say("onlyEcho")}</p>}
      <div class="messages" role="log" aria-label={say("chatTitle")}>
        {!said.length && <Empty icon="chat" title={say("chatEmpty", model?.name ?? "")}><p>{say("chatEmptyHelp")}</p></Empty>}
        {said.map((one, place) => (
          <Message key={place} said={one} waiting={busy && place === said.length - 1} />
        ))}
        {error !== null && <ErrorBox error={error} onRetry={() => send(asked)} />}
        <div ref={end} class="end" />
      </div>
      <form class="composer card" onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <textarea ref={field} rows={1} value={text} placeholder={say("chatHint")} aria-label={say("chatHint")} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={onKeyDown} />
        <div class="question-foot">
          <Select label={say("model")} value={model?.name ?? ""} onChange={setName} options={models.map((each) => ({ value: each.name, label: each.name }))} />
          <details class="system">
            <summary>{say("systemMessage")}{system && " •"}</summary>
            <textarea rows={2} value={system} aria-label={say("systemMessage")} placeholder={say("systemHint")} onInput={(event) => setSystem(event.currentTarget.value)} />
          </details>
          {busy ? (
            <Button kind="danger" icon="stop" onClick={() => stopper.current?.abort()}>{say("stop")}</Button>
          ) : (
            <Button kind="primary" type="submit" disabled={!text.trim()}>{say("send")}</Button>
          )}
        </div>
      </form>
    </div>
  );

  async function read(spec: Model, instructions: string, history: Said[], signal: AbortSignal, change: (part: Partial<Said>) => void) {
    const messages = [...(instructions.trim() ? [{ role: "system", content: instructions }] : []), ...history.map(({ role, content }) => ({ role, content }))];
    const body = { model: spec.name, messages, stream: true, stream_options: { include_usage: true } };
    let content = "";
    for await (const line of lines("/v1/chat/completions", body, signal)) {
      const data = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (!data || data === "[DONE]") continue;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) throw new GatewayError(502, chunk.error.code, chunk.error.message);
      const choice = chunk.choices?.[0];
      if (choice?.delta?.content) change({ content: (content += choice.delta.content) });
      if (choice?.delta?.reasoning_content) change({ reasoning: choice.delta.reasoning_content });
      if (choice?.finish_reason === "length") change({ note: "cutOff" });
      if (choice?.finish_reason === "content_filter") change({ note: "filtered" });
      if (chunk.usage) change({ foot: usageText(say, spec, chunk.usage.prompt_tokens, chunk.usage.completion_tokens) });
    }
  }
}

function usageText(say: Say, model: Model, input: number, output: number): string {
  const cost = model.price ? (input * model.price.input + output * model.price.output) / 1e6 : null;
  return [say("tokens", count(input + output)), cost === null ? say("noPrice") : say("cost", money(cost))].join(" · ");
}

function Message({ said, waiting }: { said: Said; waiting: boolean }) {
  const { say } = useShell();
  const mine = said.role === "user";
  return (
    <article class={`message ${said.role}`} aria-busy={waiting}>
      <span class="role">{mine ? say("user") : (said.model ?? say("assistant"))}</span>
      {said.reasoning && <details class="more"><summary>{say("thinking")}</summary><p class="plain-text">{said.reasoning}</p></details>}
      {mine ? <p class="plain-text">{said.content}</p> : <Markdown text={said.content} />}
      {waiting && !said.content && <Spinner>{say("waiting")}</Spinner>}
      {said.note && <p class="warning-line"><Icon name="warning" />{say(said.note)}</p>}
      {!mine && !waiting && said.content && <footer><span class="muted">{said.foot}</span><CopyButton text={said.content} /></footer>}
    </article>
  );
}

/** Returns the SELECT that asks the same, and so costs nothing where the call store has the answer. */
export function chatSql(model: string, system: string, asked: { role: string; content: string }[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const earlier = asked.slice(0, -1).map((one) => `    {'role': '${one.role}', 'content': ${quote(one.content)}}`);
  const parts = [`  'instruction': ${quote(asked.at(-1)?.content ?? "")}`];
  if (system.trim()) parts.push(`  'system': ${quote(system)}`);
  if (earlier.length) parts.push(`  'history': [\n${earlier.join(",\n")}\n  ]`);
  return `SELECT llm_result(llm_chat(${quote(model)}, llm_param({\n${parts.join(",\n")}\n}))) AS answer;`;
}
