// The tables of a database, to look up a name.
import { useState } from "preact/hooks";
import type { Column, Database, Table } from "./api";
import { useShell } from "./parts";
import type { Say } from "./text";

export function SchemaBrowser({ database, onPick }: { database: Database; onPick: (text: string) => void }) {
  const { say } = useShell();
  const [wanted, setWanted] = useState("");
  const fits = (text: string) => text.toLowerCase().includes(wanted.trim().toLowerCase());
  const tables = database.tables.filter((table) => fits(table.name) || table.columns.some((column) => fits(column.name)));
  if (!database.tables.length) return <p class="muted">{say("noTables")}</p>;
  return (
    <div class="schema">
      {database.tables.length > 4 && (
        <input type="search" value={wanted} placeholder={say("filterTables")} aria-label={say("filterTables")} onInput={(event) => setWanted(event.currentTarget.value)} />
      )}
      {tables.map((table) => (
        <TableEntry key={table.name} table={table} onPick={onPick} open={tables.length <= 2 || wanted.trim() !== ""} />
      ))}
    </div>
  );
}

function TableEntry({ table, onPick, open }: { table: Table; onPick: (text: string) => void; open: boolean }) {
  const { say } = useShell();
  return (
    <details open={open}>
      <summary>
        <span class="mono">{table.name}</span>
        <span class="muted"> {table.columns.length === 1 ? say("oneColumn") : say("columns", table.columns.length)}</span>
      </summary>
      {table.comment && <p class="muted">{table.comment}</p>}
      <ul>
        {table.columns.map((column) => (
          <li key={column.name}>
            <button type="button" class="link mono" title={say("insert", column.name)} onClick={() => onPick(column.name)}>
              {column.name}
            </button>
            <span class="muted type">{column.type.toLowerCase()}</span>
            {column.comment && <span class="muted comment">{column.comment}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}

const NAMES = /name|title|mail|phone|address|comment|note|text|body|名|标题/i;
const IDS = /(^|_)(id|no|code|year)$|编号/i;

/** Returns the English plural of a table's name, which is often there already. */
function plural(name: string): string {
  if (!/[a-z]$/i.test(name) || /(s|data|people|staff|children|men)$/i.test(name)) return name;
  return /[^aeiou]y$/i.test(name) ? `${name.slice(0, -1)}ies` : `${name}${/(x|ch|sh)$/i.test(name) ? "es" : "s"}`;
}

/** Returns questions that a newcomer may start from, made of the names in the database. */
export function exampleQuestions(database: Database, say: Say): string[] {
  const named = (text: string) => text.replaceAll("_", " ").replace(/^.*\./, "");
  const several = (text: string) => say("several", plural(named(text)), named(text));
  const [first, second] = database.tables;
  if (!first) return [];
  const find = (fits: (column: Column) => boolean): [Table, Column][] =>
    database.tables.flatMap((table) => table.columns.filter(fits).slice(0, 1).map((column): [Table, Column] => [table, column]));
  const [group] = find((column) => /VARCHAR|ENUM/i.test(column.type) && !NAMES.test(column.name));
  const [measure] = find((column) => /DECIMAL|DOUBLE|FLOAT|INTEGER|BIGINT/i.test(column.type) && !IDS.test(column.name));
  return [
    say("exampleCount", several(first.name)),
    ...(group ? [say("exampleGroup", several(group[0].name), named(group[1].name))] : []),
    ...(measure ? [say("exampleAverage", several(measure[0].name), named(measure[1].name))] : []),
    say("exampleAll", several((second ?? first).name)),
  ];
}
