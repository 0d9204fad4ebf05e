// The gateway's routes, and the shapes of what they return.

export interface Price { input: number; output: number }
export interface Model { name: string; type: string; builtin: boolean; chats: boolean; price: Price | null }
export interface Spent { calls: number; tokens: number; money: number }
export interface Key {
  name: string;
  made: string;
  admin: boolean;
  models: string[] | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  most_at_once: number | null;
  max_calls: number | null;
  max_tokens: number | null;
  max_money: number | null;
  spent: Spent;
}
export interface Session {
  version: string;
  key: Key | null;
  admin: boolean;
  models: Model[];
  databases: string[];
  databases_file: string;
  functions: string[];
}
export interface Column { name: string; type: string; comment: string }
export interface Table { name: string; comment: string; columns: Column[] }
export interface Database { name: string; product: string; tables: Table[] }
export interface Turn { role: "system" | "user" | "assistant"; content: string }
export interface Exchange { messages: { role: string; content: string }[]; answer: string | null; calls: number }
export interface Failure { code: string; message: string }
export interface Answer {
  sql: string | null;
  error: Failure | null;
  model: string;
  attempts: number;
  seconds: number;
  sent: Exchange[];
  calls: number;
  input_tokens: number;
  output_tokens: number;
  money: number | null;
  confidence?: number | null;
  warnings?: string[];
  alternatives?: string[];
}
export interface ResultColumn { name: string; type: "number" | "time" | "text" }
export interface Rows { columns: ResultColumn[]; rows: (string | null)[][]; truncated: boolean; warnings: string[] }
export interface Progress {
  calls: number;
  done: number;
  failed: number;
  expected: number;
  tokens: number;
  money: number | null;
  seconds: number;
}
export type StatementLine = { progress: Progress; error?: Failure } & Partial<Rows>;
export interface Replica {
  name: string;
  alive: boolean;
  starts: number;
  answered: number;
  failed: number;
  under_way: number;
  paused_seconds: number;
}
export interface ModelState extends Model {
  place: string;
  workers: number;
  replicas: Replica[];
  queued: number;
  output_tokens: number;
  deploy: string | null;
}
export interface UsageRow {
  start: number;
  model: string;
  calls: number;
  failed: number;
  input_tokens: number;
  output_tokens: number;
  money: number | null;
}
export interface Usage { since: number; period: number; periods: number; rows: UsageRow[] }

const KEY = "quackllm-key";
export const savedKey = (): string => sessionStorage.getItem(KEY) ?? "";
export function saveKey(key: string): void {
  key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY);
}

/** What the gateway answered in place of what was wanted; status 0: it did not answer. */
export class GatewayError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

async function send(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  const key = savedKey();
  if (key) headers["Authorization"] = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const method = body === undefined ? "GET" : "POST";
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body), signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new GatewayError(0, "unreachable", "");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<GatewayError> {
  const text = await response.text();
  try {
    const error = (JSON.parse(text) as { error: Failure }).error;
    return new GatewayError(response.status, error.code ?? "", error.message);
  } catch {
    return new GatewayError(response.status, "", text.slice(0, 500));
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send(path, undefined, signal)).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return (await send(path, body, signal)).json() as Promise<T>;
}

/** Yields each line of a streamed answer as soon as it is whole. */
export async function* lines(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<string> {
  const response = await send(path, body, signal);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      yield* parts.filter((part) => part.trim());
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
  if (rest.trim()) yield rest;
}

export interface StatementRequest { sql: string; database: string | null; model: string | null; max_rows: number; max_calls: number }

/** Runs a SELECT; calls `onProgress` while it runs, and returns the last line. */
export async function runStatement(
  request: StatementRequest,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<StatementLine> {
  let last: StatementLine | null = null;
  for await (const line of lines("/console/sql", request, signal)) {
    last = JSON.parse(line) as StatementLine;
    onProgress(last.progress);
  }
  if (!last || (!last.error && !last.columns)) throw new GatewayError(0, "unreachable", "");
  return last;
}
