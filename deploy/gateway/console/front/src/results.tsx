// Rows: a table that shows any number of them, one row whole, a chart, and a CSV file.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ResultColumn, Rows } from "./api";
import { ResultChart, chartable } from "./chart";
import { Button, Choice, reason, useShell } from "./parts";
import { shown } from "./shown";
import { count } from "./text";

const ROW_PIXELS = 36;
const SPARE_ROWS = 12;

export function Results({ rows: all, sql, cost }: { rows: Rows; sql: string; cost: string }) {
  const { say, language } = useShell();
  const rows = useMemo(() => shown(all, sql, say), [all, sql, say]);
  const [view, setView] = useState<"table" | "chart">("table");
  useEffect(() => setView("table"), [all]);
  if (!rows.rows.length) return <><p class="no-rows">{say("noRows")}</p>{cost && <p class="muted">{cost}</p>}</>;
  const single = rows.rows.length === 1 && rows.columns.length === 1 && (rows.rows[0]![0] ?? "").length < 40;
  const number = rows.rows.length === 1 ? say("oneRow") : say("rows", count(rows.rows.length));
  return (
    <div class="results">
      {rows.warnings.map((text) => (
        <p key={text} class="warning-line">{reason(text, language)}</p>
      ))}
      {single ? (
        <BigValue column={rows.columns[0]!} value={rows.rows[0]![0] ?? null} />
      ) : view === "table" ? (
        <ResultTable rows={rows} />
      ) : (
        <ResultChart rows={rows} />
      )}
      <div class="results-foot">
        <span class="muted">{rows.truncated ? say("firstRows", count(rows.rows.length)) : number}{cost && ` · ${cost}`}</span>
        {chartable(rows) && (
          <Choice label={`${say("table")}, ${say("chart")}`} value={view} onChange={setView} options={[["table", say("table")], ["chart", say("chart")]]} />
        )}
        <Button kind="quiet" onClick={() => downloadCsv(all)} label={say("csvLabel")}>
          {say("csv")}
        </Button>
      </div>
    </div>
  );
}

function BigValue({ column, value }: { column: ResultColumn; value: string | null }) {
  const exact = value === null ? "NULL" : column.type === "number" ? grouped(value) : value;
  const long = column.type === "number" && /\.\d{5,}$/.test(exact);
  return (
    <p class="big-value">
      <span class="big-number">{long ? grouped(Number(value).toFixed(2)) : exact}</span>
      <span class="muted">{column.name}{long && ` = ${exact}`}</span>
    </p>
  );
}

/** Returns a number's text with its thousands separated; no digit is lost. */
export function grouped(text: string): string {
  const parts = /^(-?)(\d+)(\.\d+)?$/.exec(text);
  return parts ? `${parts[1]}${parts[2]!.replace(/\B(?=(\d{3})+$)/g, ",")}${parts[3] ?? ""}` : text;
}

function compare(a: string | null, b: string | null, kind: string): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return kind === "number" ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
}

function ResultTable({ rows }: { rows: Rows }) {
  const { say } = useShell();
  const [sort, setSort] = useState<{ column: number; down: boolean } | null>(null);
  const [top, setTop] = useState(0);
  const [whole, setWhole] = useState<number | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(480);
  useEffect(() => {
    setSort(null);
    setTop(0);
    if (frame.current) {
      frame.current.scrollTop = 0;
      setHeight(frame.current.clientHeight || 480);
    }
  }, [rows]);
  const order = useMemo(() => {
    const places = rows.rows.map((_, place) => place);
    if (!sort) return places;
    const kind = rows.columns[sort.column]!.type;
    const sign = sort.down ? -1 : 1;
    return places.sort((a, b) => sign * compare(rows.rows[a]![sort.column]!, rows.rows[b]![sort.column]!, kind) || a - b);
  }, [rows, sort]);
  const widths = useMemo(() => rows.columns.map((column, place) => columnWidth(column.name, rows.rows, place)), [rows]);
  const first = Math.max(0, Math.floor(top / ROW_PIXELS) - SPARE_ROWS);
  const shown = order.slice(first, first + Math.ceil(height / ROW_PIXELS) + 2 * SPARE_ROWS);
  const sortBy = (column: number) => {
    setSort(sort?.column !== column ? { column, down: false } : sort.down ? null : { column, down: true });
    frame.current?.scrollTo(0, 0);
  };
  return (
    <>
      <div class="table-frame" ref={frame} onScroll={(event) => setTop(event.currentTarget.scrollTop)} tabIndex={0} role="region" aria-label={say("table")}>
        <table class="rows-table" style={{ width: `max(100%, ${widths.reduce((sum, width) => sum + width, 0)}ch + 58px)` }} aria-rowcount={rows.rows.length + 1}>
          <colgroup>
            <col class="row-number-column" />
            {widths.map((width, place) => (
              <col key={place} style={{ width: `${width}ch` }} />
            ))}
            <col />
          </colgroup>
          <thead>
            <tr>
              <th class="row-number" scope="col"><span class="hidden-text">#</span></th>
              {rows.columns.map((column, place) => (
                <th key={place} scope="col" class={column.type} aria-sort={sort?.column === place ? (sort.down ? "descending" : "ascending") : "none"}>
                  <button type="button" onClick={() => sortBy(place)} title={say("sortBy", column.name)}>
                    {column.name}
                    <span aria-hidden="true">{sort?.column === place ? (sort.down ? " ↓" : " ↑") : ""}</span>
                  </button>
                </th>
              ))}
              <td class="filler" aria-hidden="true" />
            </tr>
          </thead>
          <tbody>
            <Spacer rows={first} columns={rows.columns.length} />
            {shown.map((place, offset) => (
              <tr key={place} aria-rowindex={first + offset + 2} onClick={() => getSelection()?.isCollapsed !== false && setWhole(place)}>
                <td class="row-number">
                  <button type="button" aria-label={say("showRow", count(first + offset + 1))} onClick={(event) => { event.stopPropagation(); setWhole(place); }}>
                    {first + offset + 1}
                  </button>
                </td>
                {rows.rows[place]!.map((cell, column) => (
                  <td key={column} class={rows.columns[column]!.type}>{cell === null ? <span class="null">NULL</span> : cell.slice(0, 300)}</td>
                ))}
                <td class="filler" aria-hidden="true" />
              </tr>
            ))}
            <Spacer rows={order.length - first - shown.length} columns={rows.columns.length} />
          </tbody>
        </table>
      </div>
      {whole !== null && <WholeRow title={say("wholeRow", count(order.indexOf(whole) + 1))} columns={rows.columns} row={rows.rows[whole]!} onClose={() => setWhole(null)} />}
    </>
  );
}

/** Stands for the rows that are out of sight, so that the scroll bar has the length of all. */
function Spacer({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="spacer" aria-hidden="true">
      <td colSpan={columns + 2} style={{ height: `${rows * ROW_PIXELS}px` }} />
    </tr>
  );
}

function columnWidth(name: string, rows: (string | null)[][], place: number): number {
  const step = Math.max(1, Math.floor(rows.length / 200));
  let most = wide(name) + 3;
  for (let row = 0; row < rows.length; row += step) most = Math.max(most, wide((rows[row]![place] ?? "NULL").slice(0, 60)));
  return Math.min(44, Math.max(7, most)) + 3;
}

/** Returns how wide a text is: Chinese letters take two places. */
function wide(text: string): number {
  let width = 0;
  for (const letter of text) width += letter > "\u2e7f" ? 2 : 1;
  return width;
}

function WholeRow(props: { title: string; columns: ResultColumn[]; row: (string | null)[]; onClose: () => void }) {
  const { say } = useShell();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="whole-row" onClose={props.onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()} aria-label={props.title}>
      <div class="whole-row-inner">
        <header>
          <h3>{props.title}</h3>
          <Button kind="quiet" onClick={() => dialog.current?.close()}>{say("close")}</Button>
        </header>
        <dl>
          {props.columns.map((column, place) => (
            <div key={place}>
              <dt>{column.name}</dt>
              <dd>{props.row[place] ?? <span class="null">NULL</span>}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}

function downloadCsv(rows: Rows): void {
  const line = (cells: (string | null)[]) => cells.map((cell) => (cell === null ? "" : /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
  const text = [rows.columns.map((column) => column.name), ...rows.rows].map(line).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  link.download = "rows.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
