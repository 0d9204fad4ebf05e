// A chart of rows, and one of calls over time, by Chart.js.
import { BarController, BarElement, CategoryScale, Chart, Legend, LineController, LineElement, LinearScale, PointElement, ScatterController, Tooltip } from "chart.js";
import type { ChartConfiguration } from "chart.js";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Rows } from "./api";
import { Select, useShell } from "./parts";
import { count } from "./text";

Chart.register(BarController, BarElement, CategoryScale, Legend, LineController, LineElement, LinearScale, PointElement, ScatterController, Tooltip);

const MOST_BARS = 60;
const MOST_POINTS = 2000;
type Kind = "bar" | "line" | "scatter";

export function chartable(rows: Rows): boolean {
  return rows.rows.length > 1 && rows.columns.length > 1 && rows.columns.some((column) => column.type === "number");
}

/** Returns the columns that a reader most likely wants: names or times across, and a number that is no id upward. */
function likely(rows: Rows): { across: number; up: number; kind: Kind } {
  const columns = rows.columns.map((column, place) => ({ ...column, place, isId: /(^|_)(id|no|code|编号)$/i.test(column.name) }));
  const numbers = columns.filter((column) => column.type === "number");
  const up = (numbers.filter((column) => !column.isId).at(-1) ?? numbers.at(-1))!;
  const others = columns.filter((column) => column.place !== up.place);
  const across = others.find((column) => column.type === "time") ?? others.find((column) => column.type === "text") ?? others[0]!;
  const isTime = across.type === "time" || /^(year|month|week|day|date|年|月|日)/i.test(across.name);
  return { across: across.place, up: up.place, kind: isTime && rows.rows.length > 2 ? "line" : "bar" };
}

export function ResultChart({ rows }: { rows: Rows }) {
  const { say } = useShell();
  const [choice, setChoice] = useState(() => likely(rows));
  const most = choice.kind === "bar" ? MOST_BARS : MOST_POINTS;
  const names = rows.columns.map((column, place) => ({ value: String(place), label: column.name }));
  const numbers = names.filter((_, place) => rows.columns[place]!.type === "number");
  const config = useMemo(() => rowsConfig(rows, choice, most), [rows, choice]);
  const title = `${rows.columns[choice.up]!.name} / ${rows.columns[choice.across]!.name}`;
  return (
    <div class="chart">
      <div class="chart-choices">
        <Select label={say("chartKind")} value={choice.kind} onChange={(kind) => setChoice({ ...choice, kind: kind as Kind })}
          options={[{ value: "bar", label: say("bars") }, { value: "line", label: say("line") }, { value: "scatter", label: say("points") }]} />
        <Select label={say("across")} value={String(choice.across)} onChange={(place) => setChoice({ ...choice, across: Number(place) })} options={choice.kind === "scatter" ? numbers : names} />
        <Select label={say("up")} value={String(choice.up)} onChange={(place) => setChoice({ ...choice, up: Number(place) })} options={numbers} />
      </div>
      <Canvas config={config} label={title} />
      {rows.rows.length > most && <p class="muted">{say("chartFirst", count(most))}</p>}
    </div>
  );
}

function rowsConfig(rows: Rows, choice: { across: number; up: number; kind: Kind }, most: number): ChartConfiguration {
  const part = rows.rows.slice(0, most);
  const values = part.map((row) => (row[choice.up] === null ? null : Number(row[choice.up])));
  const label = rows.columns[choice.up]!.name;
  if (choice.kind === "scatter") {
    const data = part.map((row, place) => ({ x: Number(row[choice.across]), y: values[place] ?? NaN }));
    return { type: "scatter", data: { datasets: [{ label, data }] }, options: { scales: { x: { title: { display: true, text: rows.columns[choice.across]!.name } } } } };
  }
  const labels = part.map((row) => shorten(row[choice.across] ?? "NULL"));
  const flat = choice.kind === "bar" && labels.length <= 30 && labels.some((text) => text.length > 12);
  const own = flat ? { indexAxis: "y" as const } : {};
  return { type: choice.kind, data: { labels, datasets: [{ label, data: values }] }, options: own };
}

const shorten = (text: string): string => (text.length > 28 ? `${text.slice(0, 27)}…` : text);

export function Canvas({ config, label, legend = false }: { config: ChartConfiguration; label: string; legend?: boolean }) {
  const { dark } = useShell();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const chart = new Chart(canvas.current!, themed(config, legend));
    return () => chart.destroy();
  }, [config, dark, legend]);
  const labels = config.data.labels?.length ?? 0;
  const flat = (config.options as { indexAxis?: string } | undefined)?.indexAxis === "y";
  return (
    <div class="canvas-frame" style={{ height: `${flat ? Math.max(220, 60 + 26 * labels) : 320}px` }}>
      <canvas ref={canvas} role="img" aria-label={label} />
    </div>
  );
}

function themed(config: ChartConfiguration, legend: boolean): ChartConfiguration {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const palette = [1, 2, 3, 4, 5, 6].map((number) => colour(`--series-${number}`));
  const datasets = config.data.datasets.map((set, place) => ({
    backgroundColor: palette[place % palette.length],
    borderColor: palette[place % palette.length],
    borderRadius: 4,
    borderWidth: config.type === "line" ? 2 : 0,
    pointRadius: config.type === "scatter" ? 4 : (config.data.labels?.length ?? 0) > 60 ? 0 : 3,
    maxBarThickness: 44,
    ...set,
  }));
  const axis = { ticks: { color: colour("--soft"), font: { size: 12 } }, grid: { color: colour("--line") }, border: { display: false } };
  const scales = (config.options?.scales ?? {}) as Record<string, object>;
  return {
    ...config,
    data: { ...config.data, datasets },
    options: {
      ...config.options,
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      scales: { x: { ...axis, ...scales["x"] }, y: { ...axis, beginAtZero: config.type === "bar", ...scales["y"] } },
      plugins: {
        legend: { display: legend, position: "bottom", labels: { color: colour("--ink"), boxWidth: 12, boxHeight: 12 } },
        tooltip: { backgroundColor: colour("--ink"), titleColor: colour("--panel"), bodyColor: colour("--panel"), padding: 10, cornerRadius: 8 },
      },
    },
  } as ChartConfiguration;
}
