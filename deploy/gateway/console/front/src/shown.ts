// How a table and a chart show the names of columns and times; the CSV file has both as the database wrote them.
import type { ResultColumn, Rows } from "./api";
import type { Say, Word } from "./text";

const UNITS: Record<string, Word> = { year: "yearHeader", quarter: "quarterHeader", month: "monthHeader", week: "weekHeader", day: "dayHeader" };
const MIDNIGHT = /^(\d+-\d\d-\d\d) 00:00:00(?:[+-]\d\d(?::\d\d)?)?$/;

/** Returns a header for a column that has the name of its expression: `count` for `count_star()`. */
export function header(name: string, say: Say): string {
  if (/^count(_star\(\)|\(\*\))$/i.test(name)) return say("countHeader");
  const unit = UNITS[/^date_trunc\('(\w+)', .*\)$/is.exec(name)?.[1]?.toLowerCase() ?? ""];
  if (unit) return say(unit);
  const rounded = /^round\((.+), \d+\)$/is.exec(name)?.[1];
  if (rounded) return header(rounded, say);
  if (!name.includes("(")) return name;
  return name.replaceAll("count_star()", "count(*)").replace(/"(\w+)"/g, "$1").replace(/\(\(([^()]*)\)\)/g, "($1)");
}

/**
 * Returns what a table or a chart shows of rows: plain headers; a date where all times of a column are midnight; and
 * where the SQL cuts times to months or years, no more than these.
 */
export function shown(rows: Rows, sql: string, say: Say): Rows {
  const cuts = rows.columns.map((column, place) => (column.type === "time" ? cut(rows.rows.map((row) => row[place] ?? null), sql) : null));
  const columns = rows.columns.map((column): ResultColumn => ({ ...column, name: header(column.name, say) }));
  if (!cuts.some(Boolean)) return { ...rows, columns };
  const cells = rows.rows.map((row) => row.map((cell, place) => (cell === null ? null : (cuts[place]?.(cell) ?? cell))));
  return { ...rows, columns, rows: cells };
}

function cut(cells: (string | null)[], sql: string): ((cell: string) => string) | null {
  const date = (cell: string) => cell.replace(MIDNIGHT, "$1");
  const dates = cells.filter((cell) => cell !== null).map(date);
  if (!dates.length || !dates.every((text) => /^\d+-\d\d-\d\d$/.test(text))) return null;
  const all = (unit: string, end: string) => RegExp(`date_trunc\\(\\s*'${unit}'`, "i").test(sql) && dates.every((text) => text.endsWith(end));
  if (all("year", "-01-01")) return (cell) => date(cell).slice(0, -6);
  if (all("month", "-01")) return (cell) => date(cell).slice(0, -3);
  return date;
}
