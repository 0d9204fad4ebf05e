// SQL to read and to edit: a plain text field over the same text in colours.
import { useRef } from "preact/hooks";
import { useShell } from "./parts";

const TOKEN =
  /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?|`[^`]*`?)|(\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|(\b[a-z_]\w*\b)(?=(\s*\()?)/gi;
const KEYWORDS = new Set(
  `all and any as asc between by case cast coalesce count cross current_date desc distinct else end except exists extract false
  first following from full group having ilike in inner intersect interval into is join last lateral left like limit not null
  nulls offset on or order outer over partition preceding qualify range recursive right row rows select set similar some
  table then true union unnest using values when where window with avg sum min max`.split(/\s+/),
);

function pieces(sql: string): [string, string][] {
  const found: [string, string][] = [];
  let end = 0;
  for (const match of sql.matchAll(TOKEN)) {
    if (match.index > end) found.push(["", sql.slice(end, match.index)]);
    const [text, comment, string, name, number, word, call] = match;
    const kind = comment ? "comment" : string ? "string" : name ? "" : number ? "number" : "";
    found.push([word ? (KEYWORDS.has(word.toLowerCase()) ? "keyword" : call ? "function" : "") : kind, text]);
    end = match.index + text.length;
  }
  found.push(["", sql.slice(end)]);
  return found;
}

export function ColouredSql({ sql }: { sql: string }) {
  return <>{pieces(sql).map(([kind, text], place) => (kind ? <span key={place} class={`sql-${kind}`}>{text}</span> : text))}</>;
}

interface EditorProps {
  sql: string;
  onInput: (sql: string) => void;
  onRun: () => void;
  tall?: boolean;
  fieldRef?: { current: HTMLTextAreaElement | null };
}

export function SqlEditor({ sql, onInput, onRun, tall, fieldRef }: EditorProps) {
  const { say } = useShell();
  const own = useRef<HTMLTextAreaElement | null>(null);
  const field = fieldRef ?? own;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun();
    }
  };
  return (
    <div class={`sql-editor${tall ? " tall" : ""}`}>
      <div class="sql-layers">
        <pre aria-hidden="true">
          <ColouredSql sql={sql} />
          {sql.endsWith("\n") || !sql ? "\n" : ""}
        </pre>
        <textarea
          ref={field}
          rows={1}
          value={sql}
          aria-label={say("statement")}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          onInput={(event) => onInput(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
      </div>
    </div>
  );
}
