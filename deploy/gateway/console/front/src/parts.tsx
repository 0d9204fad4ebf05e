// The small parts that every page is made of.
import { createContext } from "preact";
import type { ComponentChildren } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { GatewayError } from "./api";
import type { Session } from "./api";
import { inChinese } from "./reasons";
import type { Language, Say } from "./text";

export interface Shell {
  say: Say;
  language: Language;
  dark: boolean;
  session: Session;
  reload: () => void;
  needKey: () => void;
}
export const ShellContext = createContext<Shell>(null as unknown as Shell);
export const useShell = (): Shell => useContext(ShellContext);

const PATHS: Record<string, string> = {
  ask: "M8 10h8M8 14h5M4 5h16v12H9l-5 4z",
  sql: "M8 8l-4 4 4 4M16 8l4 4-4 4M13.500 5l-3 14",
  chat: "M20 12a7 7 0 0 1-10.200 6.200L5 19.500l1.300-4A7 7 0 1 1 20 12z",
  models: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  usage: "M4 20V4M4 20h16M8 16v-4M12.500 16V8M17 16v-6",
  copy: "M9 9h10v10H9zM5 15V5h10",
  run: "M8 5l11 7-11 7z",
  stop: "M7 7h10v10H7z",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600L7 7M17 17l1.400 1.400M5.600 18.400L7 17M17 7l1.400-1.400",
  moon: "M19 14.500A7.500 7.500 0 0 1 9.500 5a7.500 7.500 0 1 0 9.500 9.500z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  table: "M4 5h16v14H4zM4 10h16M10 10v9",
  key: "M14 10a4 4 0 1 0-3.500 4l1.500-1.500h2V11h2l3-3V5h-3z",
  plus: "M12 5v14M5 12h14",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.500",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface ButtonProps {
  children: ComponentChildren;
  onClick?: () => void;
  kind?: "primary" | "plain" | "quiet" | "danger";
  icon?: string;
  disabled?: boolean;
  type?: "button" | "submit";
  label?: string;
  title?: string;
}

export function Button({ children, onClick, kind = "plain", icon, disabled, type = "button", label, title }: ButtonProps) {
  return (
    <button type={type} class={`button ${kind}`} onClick={onClick} disabled={disabled} aria-label={label} title={title}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function CopyButton({ text, word = "copy", title }: { text: string; word?: "copy" | "asSql"; title?: string }) {
  const { say } = useShell();
  const [outcome, setOutcome] = useState<"" | "copied" | "copyFailed">("");
  useEffect(() => {
    const timer = setTimeout(() => setOutcome(""), 2500);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = () => navigator.clipboard.writeText(text).then(() => setOutcome("copied"), () => setOutcome("copyFailed"));
  return (
    <Button kind="quiet" icon="copy" onClick={copy} title={title}>
      <span aria-live="polite">{say(outcome || word)}</span>
    </Button>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: { value: string; label: string }[];
  onChange: (value: string) => void;
  hideLabel?: boolean;
  title?: string;
}

export function Select({ label, value, options, onChange, hideLabel, title }: SelectProps) {
  return (
    <label class="select" title={title}>
      <span class={hideLabel ? "hidden-text" : "select-label"}>{label}</span>
      <select value={value} aria-label={label} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value} selected={option.value === value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Choice<T extends string>(props: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button key={value} type="button" aria-pressed={value === props.value} onClick={() => props.onChange(value)}>
          {label}
        </button>
      ))}
    </div>
  );
}

export function Spinner({ children }: { children: ComponentChildren }) {
  return (
    <p class="spinner" role="status">
      <span class="spinner-dot" aria-hidden="true" />
      {children}
    </p>
  );
}

export function Empty({ icon, title, children }: { icon: string; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** What went wrong, in the gateway's own words: the first line, then what to do. */
export function ErrorBox({ error, onRetry, children }: { error: unknown; onRetry?: () => void; children?: ComponentChildren }) {
  const { say, language } = useShell();
  const text = reason(errorText(error, say), language);
  const [first, ...rest] = text.split("\n");
  const below = rest.join("\n");
  const place = below.search(/^LINE \d+:/m); // From here on the marks below stand where they belong only if no line is wrapped.
  const quoted = place < 0 ? below.length : place;
  return (
    <div class="error-box" role="alert">
      <Icon name="warning" />
      <div>
        <strong>{first}</strong>
        {below.slice(0, quoted).trim() && <pre>{below.slice(0, quoted).trim()}</pre>}
        {below.slice(quoted) && <pre class="quoted" tabIndex={0}>{below.slice(quoted).trimEnd()}</pre>}
        {children}
        {onRetry && <Button onClick={onRetry}>{say("retry")}</Button>}
      </div>
    </div>
  );
}

/** Returns a sentence of the gateway in the reader's language. */
export const reason = (text: string, language: Language): string => (language === "zh" ? inChinese(text) : text);

export function errorText(error: unknown, say: Say): string {
  if (error instanceof GatewayError && error.status === 0) return say("unreachable");
  const message = error instanceof Error ? error.message : String((error as { message?: string })?.message ?? error);
  return message.trim() || say("error");
}

export const wasStopped = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** Reads once, and again by `again` or every so many seconds while the page is looked at. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, needs: unknown[], everySeconds = 0) {
  const { needKey } = useShell();
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stopper = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        if (!document.hidden || !everySeconds) {
          setValue(await load(stopper.signal));
          setError(null);
        }
      } catch (failure) {
        if (stopper.signal.aborted) return;
        if (failure instanceof GatewayError && failure.status === 401) return needKey();
        setError(failure);
      }
      if (everySeconds && !stopper.signal.aborted) timer = setTimeout(look, everySeconds * 1000);
    };
    void look();
    return () => {
      stopper.abort();
      clearTimeout(timer);
    };
  }, [...needs, turn]);
  return { value, error, again: () => setTurn(turn + 1), forget: () => setValue(null) };
}

/** A text field that grows with its text. */
export function useGrowing(text: string, mostPixels: number) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight + 2, mostPixels)}px`;
  }, [text]);
  return field;
}
