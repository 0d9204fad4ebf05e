// A statement that runs: its progress, stop, budget, rows and errors; the same on every page.
import { useEffect, useRef, useState } from "preact/hooks";
import { GatewayError, runStatement } from "./api";
import type { Failure, Progress, Rows, StatementRequest } from "./api";
import { Button, ErrorBox, Spinner, reason, useShell, wasStopped } from "./parts";
import { Results } from "./results";
import { count, money } from "./text";
import type { Say } from "./text";

export type Wanted = Omit<StatementRequest, "max_rows" | "max_calls"> & { max_rows?: number; max_calls?: number };
type Ended = { rows: Rows } | { error: unknown } | { stopped: true };
const MOST_ROWS = 1000;
const MOST_CALLS = 100;

export function useStatement() {
  const { needKey } = useShell();
  const [progress, setProgress] = useState<Progress | null>(null);
  const [ended, setEnded] = useState<Ended | null>(null);
  const [request, setWanted] = useState<StatementRequest | null>(null);
  const [busy, setBusy] = useState(false);
  const stopper = useRef<AbortController | null>(null);
  useEffect(() => () => stopper.current?.abort(), []);

  const run = async (given: Wanted) => {
    stopper.current?.abort();
    const own = (stopper.current = new AbortController());
    const whole = { max_rows: MOST_ROWS, max_calls: MOST_CALLS, ...given };
    setWanted(whole);
    setBusy(true);
    setProgress(null);
    const outcome = await runStatement(whole, own.signal, (seen) => !own.signal.aborted && setProgress(seen)).then(
      (line): Ended => (line.error ? { error: line.error } : { rows: line as Rows }),
      (error: unknown): Ended => (wasStopped(error) ? { stopped: true } : { error }),
    );
    if (stopper.current !== own) return;
    if ("error" in outcome && outcome.error instanceof GatewayError && outcome.error.status === 401) needKey();
    setEnded(outcome);
    setBusy(false);
  };
  return { run, stop: () => stopper.current?.abort(), busy, progress, ended, request, clear: () => setEnded(null) };
}
export type Statement = ReturnType<typeof useStatement>;

export function costLine(say: Say, progress: { calls: number; tokens: number; money: number | null; failed?: number; seconds: number }): string {
  const parts = [];
  if (progress.calls) {
    parts.push(progress.calls === 1 ? say("oneCall") : say("callsMade", count(progress.calls)), say("tokens", count(progress.tokens)));
    parts.push(progress.money === null ? say("noPrice") : say("cost", money(progress.money)));
  }
  if (progress.failed) parts.push(say("failedCalls", count(progress.failed)));
  parts.push(say("seconds", progress.seconds.toFixed(1)));
  return parts.join(" · ");
}

export function StatementOutcome({ statement }: { statement: Statement }) {
  const { say } = useShell();
  const { progress, ended, busy, request } = statement;
  if (busy) return <Running progress={progress} onStop={statement.stop} />;
  if (!ended) return null;
  if ("stopped" in ended) return <p class="muted" role="status">{say("stopped")}</p>;
  if ("error" in ended) {
    const failure = ended.error as Failure;
    if (failure.code === "budget" && request) return <BudgetReached statement={statement} />;
    return <ErrorBox error={ended.error} />;
  }
  return (
    <>
      <Results rows={ended.rows} sql={request?.sql ?? ""} cost={progress ? costLine(say, progress) : ""} />
      {ended.rows.truncated && request && request.max_rows < 10_000 && !progress?.calls && (
        <Button onClick={() => statement.run({ ...request, max_rows: 10_000 })}>{say("mostRows")} {say("rows", "10,000")}</Button>
      )}
    </>
  );
}

function Running({ progress, onStop }: { progress: Progress | null; onStop: () => void }) {
  const { say } = useShell();
  const asks = progress && progress.expected > 0;
  return (
    <div class="running">
      <Spinner>{asks ? say("callsOf", count(progress.done), count(progress.expected)) : say("running")}</Spinner>
      {asks && <progress max={progress.expected} value={progress.done} aria-label={say("calls")} />}
      {progress && <span class="muted">{costLine(say, progress)}</span>}
      <Button kind="danger" icon="stop" onClick={onStop}>{say("stop")}</Button>
    </div>
  );
}

function BudgetReached({ statement }: { statement: Statement }) {
  const { say, language } = useShell();
  const { request, ended } = statement;
  const more = Math.max(1, request!.max_calls) * 10;
  const failure = (ended as { error: Failure }).error;
  return (
    <div class="notice" role="status">
      <p>{/llm_max_calls/.test(failure.message) ? say("budgetReached", count(request!.max_calls)) : reason(failure.message, language)}</p>
      <Button kind="primary" onClick={() => statement.run({ ...request!, max_calls: more })}>{say("budgetMore", count(more))}</Button>
    </div>
  );
}
