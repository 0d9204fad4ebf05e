// Calls and cost over time, and what each key has spent of its budgets.
import type { ChartConfiguration } from "chart.js";
import { useMemo, useState } from "preact/hooks";
import { get } from "./api";
import type { Key, Usage } from "./api";
import { Canvas } from "./chart";
import { Choice, CopyButton, Empty, ErrorBox, Spinner, useLoaded, useShell } from "./parts";
import { count, money } from "./text";
import type { Language, Say } from "./text";

type Span = "day" | "week" | "month";
type Measure = "calls" | "output_tokens" | "money";
const NEW_KEY = "quackllm keys add alice --max-calls 10000";
const LOOK_SECONDS = 10;

export function UsagePage({ active }: { active: boolean }) {
  const { say, session } = useShell();
  return (
    <div class="page column">
      <header class="page-head">
        <h1>{say("usageTitle")}</h1>
        {session.admin && <p>{say("usageLead")}</p>}
      </header>
      {session.admin ? <Calls active={active} /> : <p class="notice">{say("adminOnly")}</p>}
      {session.admin ? <Keys active={active} /> : session.key && <KeyTable title={say("myKey")} keys={[session.key]} />}
    </div>
  );
}

function Calls({ active }: { active: boolean }) {
  const { say, language } = useShell();
  const [span, setSpan] = useState<Span>("week");
  const [measure, setMeasure] = useState<Measure>("calls");
  const offset = -new Date().getTimezoneOffset();
  const { value, error, again } = useLoaded<Usage>((signal) => get(`/console/usage?span=${span}&utc_offset_minutes=${offset}`, signal), [span, active], active ? LOOK_SECONDS : 0);
  const config = useMemo(() => value && usageConfig(value, measure, language), [value, measure, language]);
  return (
    <>
      <div class="toolbar">
        <Choice label={say("span")} value={span} onChange={setSpan} options={[["day", say("day")], ["week", say("week")], ["month", say("month")]]} />
        <Choice label={say("measure")} value={measure} onChange={setMeasure} options={[["calls", say("calls")], ["output_tokens", say("outputTokens")], ["money", say("money")]]} />
      </div>
      {error !== null && <ErrorBox error={error} onRetry={again} />}
      {!value && error === null && <Spinner>{say("loading")}</Spinner>}
      {value && !value.rows.length && <div class="card"><Empty icon="usage" title={say("noUsage")}><p>{say("noUsageHelp")}</p></Empty></div>}
      {value && config && value.rows.length > 0 && (
        <>
          <Totals usage={value} />
          <div class="card chart-card"><Canvas config={config} label={`${say("usageTitle")}: ${say(span)}`} legend /></div>
          <ByModel usage={value} />
        </>
      )}
    </>
  );
}

function totals(rows: Usage["rows"]) {
  const sum = (field: "calls" | "failed" | "input_tokens" | "output_tokens") => rows.reduce((total, row) => total + (row[field] ?? 0), 0);
  const priced = rows.filter((row) => row.money !== null);
  const spent = priced.length ? priced.reduce((total, row) => total + row.money!, 0) : null;
  return { calls: sum("calls"), failed: sum("failed"), input_tokens: sum("input_tokens"), output_tokens: sum("output_tokens"), money: spent };
}

const shownMoney = (value: number | null, say: Say): string => (value === null ? say("noPrice") : money(value));

function Totals({ usage }: { usage: Usage }) {
  const { say } = useShell();
  const all = totals(usage.rows);
  const tiles: [string, string, string][] = [
    [say("calls"), count(all.calls), all.failed ? say("failedCalls", count(all.failed)) : ""],
    [say("inputTokens"), count(all.input_tokens), ""],
    [say("outputTokens"), count(all.output_tokens), ""],
    [say("money"), shownMoney(all.money, say), ""],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([name, value, more]) => (
        <div key={name} class="card tile">
          <dt>{name}</dt>
          <dd>{value}</dd>
          {more && <dd class="bad">{more}</dd>}
        </div>
      ))}
    </dl>
  );
}

function ByModel({ usage }: { usage: Usage }) {
  const { say } = useShell();
  const models = [...new Set(usage.rows.map((row) => row.model))];
  return (
    <section class="card">
      <h2>{say("byModel")}</h2>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={say("byModel")}>
        <table class="plain-table">
          <thead>
            <tr><th scope="col">{say("model")}</th><th scope="col">{say("calls")}</th><th scope="col">{say("failed")}</th><th scope="col">{say("inputTokens")}</th><th scope="col">{say("outputTokens")}</th><th scope="col">{say("money")}</th></tr>
          </thead>
          <tbody>
            {models.map((model) => {
              const sum = totals(usage.rows.filter((row) => row.model === model));
              return <tr key={model}><th scope="row" class="mono">{model}</th><td>{count(sum.calls)}</td><td>{count(sum.failed)}</td><td>{count(sum.input_tokens)}</td><td>{count(sum.output_tokens)}</td><td>{shownMoney(sum.money, say)}</td></tr>;
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function usageConfig(usage: Usage, measure: Measure, language: Language): ChartConfiguration {
  const starts = Array.from({ length: usage.periods }, (_, place) => usage.since + place * usage.period);
  const place = language === "zh" ? "zh-CN" : "en-GB";
  const form: Intl.DateTimeFormatOptions = usage.period < 86_400 ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  const labels = starts.map((start) => new Date(start * 1000).toLocaleString(place, form));
  const models = [...new Set(usage.rows.map((row) => row.model))];
  const datasets = models.map((model) => {
    const own = new Map(usage.rows.filter((row) => row.model === model).map((row) => [row.start, row[measure] ?? 0]));
    return { label: model, data: starts.map((start) => own.get(start) ?? 0) };
  });
  return { type: "bar", data: { labels, datasets }, options: { scales: { x: { stacked: true }, y: { stacked: true } } } };
}

function Keys({ active }: { active: boolean }) {
  const { say } = useShell();
  const { value, error, again } = useLoaded<Key[]>((signal) => get("/console/keys", signal), [active], active ? LOOK_SECONDS : 0);
  if (error !== null) return <ErrorBox error={error} onRetry={again} />;
  if (!value) return null;
  if (value.length) return <KeyTable title={say("keysTitle")} keys={value} />;
  return (
    <section class="card">
      <h2>{say("keysTitle")}</h2>
      <p class="muted">{say("noKeys")}</p>
      <div class="copy-line"><code>{NEW_KEY}</code><CopyButton text={NEW_KEY} /></div>
    </section>
  );
}

function KeyTable({ title, keys }: { title: string; keys: Key[] }) {
  const { say } = useShell();
  return (
    <section class="card">
      <h2>{title}</h2>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="plain-table keys">
          <thead>
            <tr><th scope="col">{say("keyName")}</th><th scope="col">{say("models")}</th><th scope="col">{say("calls")}</th><th scope="col">{say("tokens", "").trim()}</th><th scope="col">{say("money")}</th></tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <tr key={key.name}>
                <th scope="row">{key.name}{key.admin && <span class="tag">{say("admin")}</span>}</th>
                <td class="words">{key.models?.join(", ") ?? say("allModels")}{key.requests_per_minute !== null && <span class="muted"> · {say("perMinute", count(key.requests_per_minute))}</span>}</td>
                <Budget spent={key.spent.calls} most={key.max_calls} show={count} />
                <Budget spent={key.spent.tokens} most={key.max_tokens} show={count} />
                <Budget spent={key.spent.money} most={key.max_money} show={money} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Budget({ spent, most, show }: { spent: number; most: number | null; show: (value: number) => string }) {
  const { say } = useShell();
  if (most === null) return <td>{show(spent)}</td>;
  return (
    <td>
      {say("budgetBar", show(spent), show(most))}
      <meter min={0} max={Math.max(most, 1e-9)} high={most * 0.9} optimum={0} value={Math.min(spent, most)} aria-label={say("budgetBar", show(spent), show(most))} />
    </td>
  );
}
