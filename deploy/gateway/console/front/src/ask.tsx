// A question in words: its SQL, rows, chart, confidence, what was sent, and what it cost.
import { useEffect, useRef, useState } from "preact/hooks";
import { GatewayError, get, post } from "./api";
import type { Answer, Database, Exchange, Turn } from "./api";
import { forgetQuestions, saveQuestion, savedQuestions } from "./history";
import type { Question } from "./history";
import { Button, CopyButton, Empty, ErrorBox, Icon, Select, Spinner, reason, useGrowing, useLoaded, useShell, wasStopped } from "./parts";
import { SchemaBrowser, exampleQuestions } from "./schema";
import { ColouredSql, SqlEditor } from "./sql_editor";
import { StatementOutcome, costLine, useStatement } from "./statement";

interface Asked extends Question { number: number }
/** The last answer, which a question may go on from. */
interface Last { question: string; database: string; turns: Turn[] }

const VOTES = [1, 3, 5, 9];
let numbers = 0;

export function AskPage() {
  const { say, session } = useShell();
  const [question, setQuestion] = useState("");
  const [database, setDatabase] = useState(session.databases[0] ?? "");
  const [model, setModel] = useState("");
  const [votes, setVotes] = useState(1);
  const [notes, setNotes] = useState(() => sessionStorage.getItem("quackllm-notes") ?? "");
  const [notesOpen, setNotesOpen] = useState(notes !== "");
  const [asked, setAsked] = useState<Asked[]>([]);
  const [last, setLast] = useState<Last | null>(null);
  const [followsUp, setFollowsUp] = useState(false);
  const keyName = session.key?.name ?? "";
  const [earlier, setEarlier] = useState(() => savedQuestions(keyName));
  const field = useGrowing(question, 220);
  const chosen = session.databases.includes(database) ? database : (session.databases[0] ?? "");
  const schema = useLoaded<Database | null>(
    (signal) => (chosen ? get<Database>(`/console/databases/${encodeURIComponent(chosen)}`, signal) : Promise.resolve(null)),
    [chosen],
  );
  useEffect(() => sessionStorage.setItem("quackllm-notes", notes), [notes]);
  if (!session.databases.length) return <NoDatabases />;

  const canFollow = last?.database === chosen;
  const send = (wanted: Question) => {
    setAsked([{ ...wanted, number: ++numbers }, ...asked]);
    setEarlier(saveQuestion(keyName, wanted));
  };
  const ask = (text: string) => {
    const plain = text.trim();
    if (!plain) return field.current?.focus();
    send({ question: plain, database: chosen, model: model || null, votes, notes, history: followsUp && canFollow ? last.turns : [] });
    setQuestion("");
    setFollowsUp(false);
  };
  const isAsked = (one: Question) => asked.some((other) => other.question === one.question && other.database === one.database);
  const answered = (one: Asked, sql: string) => {
    if (one.number !== numbers) return;
    const turns: Turn[] = [...one.history, { role: "user", content: one.question }, { role: "assistant", content: sql }];
    setLast({ question: one.question, database: one.database, turns });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask(question);
    }
  };
  const insert = (text: string) => {
    setQuestion(question && !question.endsWith(" ") ? `${question} ${text}` : question + text);
    field.current?.focus();
  };
  const canWrite = session.models.filter((each) => each.name === "builtin_text2sql" || (each.chats && each.type !== "echo"));
  // The built-in model answers the same each time; "automatic" is the only deployed model, if there is one.
  const canVote = model ? model !== "builtin_text2sql" : session.models.filter((each) => !each.builtin).length === 1;
  return (
    <div class="page ask-page">
      <div class="column">
        <header class="page-head">
          <h1>{say("askTitle")}</h1>
          <p>{say("askLead")}</p>
        </header>
        <form class="question-box card" onSubmit={(event) => { event.preventDefault(); ask(question); }}>
          <textarea ref={field} rows={2} value={question} aria-label={say("question")} maxLength={4000}
            placeholder={followsUp && canFollow ? say("followUpHint") : say("questionHint")}
            onInput={(event) => setQuestion(event.currentTarget.value)} onKeyDown={onKeyDown} />
          {canFollow && (
            <label class="check">
              <input type="checkbox" checked={followsUp} onChange={(event) => setFollowsUp(event.currentTarget.checked)} />
              <span class="one-line">{say("followUp", last.question)}</span>
            </label>
          )}
          {notesOpen && (
            <label class="notes">
              <span>{say("notes")}</span>
              <textarea rows={3} value={notes} maxLength={4000} placeholder={say("notesHint")} onInput={(event) => setNotes(event.currentTarget.value)} />
            </label>
          )}
          <div class="question-foot">
            <Select label={say("database")} value={chosen} onChange={setDatabase} options={session.databases.map((name) => ({ value: name, label: name }))} />
            <Select label={say("model")} value={model} onChange={setModel}
              options={[{ value: "", label: say("automatic") }, ...canWrite.map((each) => ({ value: each.name, label: each.name }))]} />
            {canVote && (
              <Select label={say("votes")} title={say("votesHelp")} value={String(votes)} onChange={(value) => setVotes(Number(value))}
                options={VOTES.map((most) => ({ value: String(most), label: String(most) }))} />
            )}
            <button type="button" class="button quiet" aria-expanded={notesOpen} onClick={() => setNotesOpen(!notesOpen)}>
              <Icon name="plus" />
              {say("notesShort")}
            </button>
            <Button kind="primary" type="submit">{say("askButton")}</Button>
          </div>
        </form>
        {!asked.length && schema.value && <Examples database={schema.value} onAsk={ask} />}
        <div class="answers" aria-live="polite">
          {asked.map((one) => (
            <AnswerCard key={one.number} asked={one} onAnswered={(sql) => answered(one, sql)} />
          ))}
        </div>
        {earlier.length > 0 && (
          <EarlierQuestions questions={earlier.filter((one) => session.databases.includes(one.database) && !isAsked(one))}
            onAsk={(one) => { setDatabase(one.database); send(one); }}
            onClear={() => { forgetQuestions(keyName); setEarlier([]); }} />
        )}
      </div>
      <aside class="side card" aria-label={say("tablesOf", chosen)}>
        <h2>{say("tablesOf", chosen)}</h2>
        {schema.error ? <ErrorBox error={schema.error} onRetry={schema.again} /> : schema.value ? <SchemaBrowser database={schema.value} onPick={insert} /> : <Spinner>{say("loading")}</Spinner>}
      </aside>
    </div>
  );
}

function Examples({ database, onAsk }: { database: Database; onAsk: (question: string) => void }) {
  const { say } = useShell();
  const questions = exampleQuestions(database, say);
  if (!questions.length) return null;
  return (
    <section class="examples">
      <h2>{say("tryThese")}</h2>
      {questions.map((question) => (
        <button key={question} type="button" class="example" onClick={() => onAsk(question)}>{question}</button>
      ))}
    </section>
  );
}

const SHOWN_EARLIER = 12;

function EarlierQuestions({ questions, onAsk, onClear }: { questions: Question[]; onAsk: (question: Question) => void; onClear: () => void }) {
  const { say, session } = useShell();
  return (
    <section class="examples earlier">
      <h2>{say("earlier")}</h2>
      {questions.slice(0, SHOWN_EARLIER).map((one) => (
        <button key={`${one.database} ${one.question}`} type="button" class="example" onClick={() => onAsk(one)}>
          {one.history.length > 0 && "… "}{one.question}
          {session.databases.length > 1 && <span class="muted"> {one.database}</span>}
        </button>
      ))}
      <p class="muted">{say("earlierNote")} <button type="button" class="link" onClick={onClear}>{say("earlierClear")}</button></p>
    </section>
  );
}

function NoDatabases() {
  const { say, session, reload } = useShell();
  const line = "shop: duckdb:////path/of/shop.duckdb";
  return (
    <div class="page column">
      <header class="page-head">
        <h1>{say("askTitle")}</h1>
        <p>{say("askLead")}</p>
      </header>
      <div class="card">
        <Empty icon="table" title={say("noDatabases")}>
          <p>{say("noDatabasesHelp")}</p>
          <p class="mono path">{session.databases_file}</p>
          <div class="copy-line"><code>{line}</code><CopyButton text={line} /></div>
          <Button onClick={reload}>{say("checkAgain")}</Button>
        </Empty>
      </div>
    </div>
  );
}

function AnswerCard({ asked, onAnswered }: { asked: Asked; onAnswered: (sql: string) => void }) {
  const { say, language, needKey } = useShell();
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [stopped, setStopped] = useState(false);
  const [sql, setSql] = useState("");
  const [turn, setTurn] = useState(0);
  const statement = useStatement();
  const stopper = useRef<AbortController | null>(null);
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    if (innerWidth < 760) card.current?.scrollIntoView({ block: "start", behavior: "smooth" });
  }, []);
  const unclear = answer?.error?.code === "unclear";
  // What was found out about the model's SQL holds for no other.
  const isModels = sql === answer?.sql && (statement.request?.sql ?? sql) === sql;
  const runSql = (text: string) => statement.run({ sql: text, database: asked.database, model: asked.model });

  useEffect(() => {
    const own = (stopper.current = new AbortController());
    setError(null);
    setStopped(false);
    const { question, database, model, votes, notes, history } = asked;
    post<Answer>("/console/question", { question, database, model, votes, notes, history }, own.signal).then(
      (found) => {
        setAnswer(found);
        if (found.sql === null) return;
        setSql(found.sql);
        onAnswered(found.sql);
        void runSql(found.sql);
      },
      (failure: unknown) => {
        if (failure instanceof GatewayError && failure.status === 401) needKey();
        wasStopped(failure) ? setStopped(true) : setError(failure);
      },
    );
    return () => own.abort();
  }, [turn]);

  return (
    <article class="answer card" ref={card}>
      <header class="answer-head">
        <h2>{asked.question}</h2>
        {answer && isModels && <Confidence answer={answer} />}
      </header>
      {error ? <ErrorBox error={error} onRetry={() => setTurn(turn + 1)} /> : stopped ? (
        <div class="running"><span class="muted" role="status">{say("stopped")}</span><Button onClick={() => setTurn(turn + 1)}>{say("retry")}</Button></div>
      ) : !answer ? (
        <div class="running">
          <Spinner>{say("writing")}</Spinner>
          <Button kind="danger" icon="stop" onClick={() => stopper.current?.abort()}>{say("stop")}</Button>
        </div>
      ) : null}
      {answer && answer.sql === null && (
        <div class="notice" role="status">
          <strong>{say(unclear ? "unclear" : "noSql")}</strong>
          {answer.error && <p class={answer.error.message.includes("\n") ? "reason" : ""}>{reason(answer.error.message, language)}</p>}
          <p>{say(unclear ? "unclearHelp" : "noSqlHelp")}</p>
        </div>
      )}
      {answer && (isModels || answer.sql === null) && <Warnings answer={answer} />}
      {answer && answer.sql !== null && (
        <>
          <div class="sql-block">
            <SqlEditor sql={sql} onInput={setSql} onRun={() => runSql(sql)} />
            <div class="sql-actions">
              <Button icon="run" onClick={() => runSql(sql)} disabled={!sql.trim()}>{say("runAgain")}</Button>
              {sql !== answer.sql && <Button kind="quiet" onClick={() => { setSql(answer.sql!); void runSql(answer.sql!); }}>{say("revert")}</Button>}
              <CopyButton text={sql} />
              {sql !== answer.sql && <span class="tag">{say("edited")}</span>}
            </div>
          </div>
          <StatementOutcome statement={statement} />
          <Alternatives answer={answer} onUse={(text) => { setSql(text); void runSql(text); }} />
        </>
      )}
      {answer && <AnswerFoot answer={answer} />}
    </article>
  );
}

function Warnings({ answer }: { answer: Answer }) {
  const { say, language } = useShell();
  const doubts = (answer.warnings ?? []).map((text) => reason(text, language));
  if (answer.sql !== null && answer.confidence != null && answer.confidence < 0.5) doubts.unshift(say("unsure"));
  if (!doubts.length) return null;
  return (
    <div class="notice" role="note">
      <strong>{say("warnings")}</strong>
      <ul>{doubts.map((text) => <li key={text}>{text}</li>)}</ul>
    </div>
  );
}

function Alternatives({ answer, onUse }: { answer: Answer; onUse: (sql: string) => void }) {
  const { say } = useShell();
  if (!answer.alternatives?.length) return null;
  return (
    <details class="more">
      <summary>{say("alternatives")}</summary>
      {answer.alternatives.map((one) => (
        <div key={one} class="alternative">
          <pre class="mono" tabIndex={0}><ColouredSql sql={one} /></pre>
          <Button kind="quiet" icon="run" onClick={() => onUse(one)}>{say("useThis")}</Button>
        </div>
      ))}
    </details>
  );
}

function Confidence({ answer }: { answer: Answer }) {
  const { say } = useShell();
  const confidence = answer.confidence ?? null;
  if (confidence === null || answer.sql === null) return null;
  return (
    <span class={`confidence ${confidence >= 0.8 ? "high" : confidence >= 0.5 ? "middle" : "low"}`} title={say("confidenceHelp")}>
      {say("confidence", `${Math.round(confidence * 100)} %`)}
    </span>
  );
}

/** Whether two calls sent the same, as votes do. */
function sameMessages(one: Exchange, other: Exchange | undefined): boolean {
  return JSON.stringify(one.messages) === JSON.stringify(other?.messages);
}

function AnswerFoot({ answer }: { answer: Answer }) {
  const { say } = useShell();
  const cost = answer.calls
    ? costLine(say, { calls: answer.calls, tokens: answer.input_tokens + answer.output_tokens, money: answer.money, seconds: answer.seconds })
    : say("cachedNote");
  return (
    <footer class="answer-foot">
      <p class="muted">
        <span class="mono">{answer.model}</span> · {cost}
      </p>
      {answer.model === "builtin_text2sql" && <p class="muted small-model">{say("smallModel")} <a href="#/models">{say("models")}</a></p>}
      <details class="more">
        <summary>{say("sent")}</summary>
        {answer.sent.map((exchange, place) => (
          <section key={place} class="exchange">
            {answer.sent.length > 1 && <h3>{say("attempt", place + 1)}</h3>}
            {sameMessages(exchange, answer.sent[place - 1]) ? <p class="muted">{say("sameMessages")}</p> : exchange.messages.map((message, number) => (
              <div key={number} class="sent-message">
                <span class="role">{say(message.role === "system" ? "system" : message.role === "user" ? "user" : "assistant")}</span>
                <pre tabIndex={0}>{message.content}</pre>
              </div>
            ))}
            {exchange.answer && (
              <div class="sent-message">
                <span class="role">{say("answer")}</span>
                <pre tabIndex={0}>{exchange.answer}</pre>
              </div>
            )}
          </section>
        ))}
      </details>
    </footer>
  );
}
