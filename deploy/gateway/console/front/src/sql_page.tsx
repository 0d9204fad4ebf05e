// SQL with the functions that ask models: progress, a budget, stop.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api";
import type { Database } from "./api";
import { Button, Empty, Select, useLoaded, useShell } from "./parts";
import { SchemaBrowser } from "./schema";
import { SqlEditor } from "./sql_editor";
import { StatementOutcome, useStatement } from "./statement";

const FUNCTIONS: [string, string][] = [
  ["ai_sentiment", "ai_sentiment(text)"],
  ["ai_filter", "ai_filter(text, 'it is a complaint')"],
  ["ai_classify", "ai_classify(text, ['bug', 'question', 'praise'])"],
  ["ai_extract", "ai_extract(text, {'product': 'VARCHAR', 'price': 'DOUBLE'})"],
  ["ai_score", "ai_score(text, 'how urgent it is')"],
  ["ai_translate", "ai_translate(text, 'English')"],
  ["ai_complete", "ai_complete('Describe in five words: ' || text)"],
  ["ai_fix_grammar", "ai_fix_grammar(text)"],
  ["ai_mask", "ai_mask(text, ['name', 'email'])"],
  ["ai_summarize", "ai_summarize(text)"],
  ["ai_agg", "ai_agg(text, 'What do these have in common?')"],
  ["ai_best", "ai_best(list(text), 'the most useful')"],
  ["ai_similarity", "ai_similarity(text, 'late delivery')"],
  ["llm_chat", "llm_result(llm_chat('Say this in one word: ' || text))"],
];
const SAVED = "quackllm-sql";

export function SqlPage() {
  const { say, session } = useShell();
  const [sql, setSql] = useState(() => sessionStorage.getItem(SAVED) ?? "");
  const [database, setDatabase] = useState(session.databases[0] ?? "");
  const models = session.models.filter((each) => each.chats);
  const [model, setModel] = useState(() => (models.find((each) => !each.builtin) ?? models[0])?.name ?? "");
  const [calls, setCalls] = useState(100);
  const field = useRef<HTMLTextAreaElement | null>(null);
  const statement = useStatement();
  const chosen = session.databases.includes(database) ? database : "";
  const schema = useLoaded<Database | null>(
    (signal) => (chosen ? get<Database>(`/console/databases/${encodeURIComponent(chosen)}`, signal) : Promise.resolve(null)),
    [chosen],
  );
  useEffect(() => sessionStorage.setItem(SAVED, sql), [sql]);
  const withModels = !schema.value || schema.value.product === "DuckDB";
  const run = () => sql.trim() && statement.run({ sql, database: chosen || null, model: model || null, max_calls: calls });
  const insert = (text: string) => {
    const start = field.current?.selectionStart ?? sql.length;
    const end = field.current?.selectionEnd ?? sql.length;
    setSql(sql.slice(0, start) + text + sql.slice(end));
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(start + text.length, start + text.length);
    });
  };
  return (
    <div class="page sql-page">
      <div class="column">
        <header class="page-head">
          <h1>{say("sqlTitle")}</h1>
          <p>{say("sqlLead")}</p>
        </header>
        <div class="card sql-card">
          <SqlEditor sql={sql} onInput={setSql} onRun={run} tall fieldRef={field} />
          <div class="question-foot">
            <Select label={say("database")} value={chosen} onChange={setDatabase}
              options={[...session.databases.map((name) => ({ value: name, label: name })), { value: "", label: say("noDatabase") }]} />
            {withModels && (
              <>
                <Select label={say("model")} value={model} onChange={setModel} options={models.map((each) => ({ value: each.name, label: each.name }))} />
                <label class="select budget" title={say("budgetLabel")}>
                  <span class="select-label">{say("budget")}</span>
                  <input type="number" min={0} step={1} value={calls} aria-label={say("budgetLabel")} onInput={(event) => setCalls(Math.max(0, Math.floor(event.currentTarget.valueAsNumber || 0)))} />
                  <span class="select-label">{say("budgetUnit")}</span>
                </label>
              </>
            )}
            {statement.busy ? (
              <Button kind="danger" icon="stop" onClick={statement.stop}>{say("stop")}</Button>
            ) : (
              <Button kind="primary" icon="run" onClick={run} disabled={!sql.trim()} title="Ctrl+Enter">{say("run")}</Button>
            )}
          </div>
        </div>
        {!withModels && <p class="muted">{say("plainSqlOnly")}</p>}
        <section class="card outcome" aria-live="polite">
          {statement.busy || statement.ended ? <StatementOutcome statement={statement} /> : (
            <Empty icon="table" title={say("sqlEmpty")}>
              <p>{say("sqlEmptyHelp")}</p>
              <div class="samples">{samples(schema.value, withModels).map(([word, text]) => (
                <Button key={word} onClick={() => setSql(text)}>{say(word)}</Button>
              ))}</div>
            </Empty>
          )}
        </section>
      </div>
      <aside class="side card" aria-label={say("functions")}>
        {withModels && (
          <>
            <h2>{say("functions")}</h2>
            <ul class="functions">
              {FUNCTIONS.filter(([name]) => session.functions.includes(name)).map(([name, text]) => (
                <li key={name}>
                  <button type="button" class="link mono" title={say("insert", text)} onClick={() => insert(text)}>{name}</button>
                </li>
              ))}
            </ul>
          </>
        )}
        {schema.value && (
          <>
            <h2>{say("tablesOf", chosen)}</h2>
            <SchemaBrowser database={schema.value} onPick={insert} />
          </>
        )}
      </aside>
    </div>
  );
}

function samples(database: Database | null, withModels: boolean): ["sampleModel" | "samplePlain", string][] {
  const table = database?.tables[0];
  const text = table?.columns.find((column) => /VARCHAR/i.test(column.type))?.name;
  const quote = (name: string) => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
  const found: ["sampleModel" | "samplePlain", string][] = [];
  if (table) {
    const path = table.name.includes('"') ? table.name : table.name.split(".").map(quote).join(".");
    found.push(["samplePlain", `SELECT * FROM ${path} LIMIT 100`]);
    if (text && withModels) found.push(["sampleModel", `SELECT ${quote(text)}, ai_complete('Describe in five words: ' || ${quote(text)}) AS answer\nFROM ${path}\nLIMIT 5`]);
  } else if (withModels) {
    found.push(["sampleModel", "SELECT animal, ai_complete('What sound does it make: ' || animal) AS answer\nFROM (VALUES ('duck'), ('cat')) t(animal)"]);
  }
  return found;
}
