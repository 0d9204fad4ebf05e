// The frame of the page: which page is looked at, language, theme, and the API key.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { AskPage } from "./ask";
import { GatewayError, get, saveKey, savedKey } from "./api";
import type { Session } from "./api";
import { ChatPage } from "./chat";
import { ModelsPage } from "./models_page";
import { Button, ErrorBox, Icon, ShellContext, Spinner } from "./parts";
import { SqlPage } from "./sql_page";
import { speak } from "./text";
import type { Language, Say, Word } from "./text";
import { UsagePage } from "./usage_page";

const PAGES = ["ask", "sql", "chat", "models", "usage"] as const;
type Page = (typeof PAGES)[number];
type Theme = "system" | "light" | "dark";
const THEMES: [Theme, Word, string][] = [["system", "themeSystem", "system"], ["light", "themeLight", "sun"], ["dark", "themeDark", "moon"]];

function useSaved<T extends string>(name: string, first: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => (localStorage.getItem(name) as T | null) ?? first);
  return [value, (next) => { localStorage.setItem(name, next); setValue(next); }];
}

function useMedia(query: string): boolean {
  const media = useMemo(() => matchMedia(query), [query]);
  const [fits, setFits] = useState(media.matches);
  useEffect(() => {
    const look = () => setFits(media.matches);
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [media]);
  return fits;
}

const pageOfAddress = (): Page => PAGES.find((page) => `#/${page}` === location.hash) ?? "ask";

function App() {
  const [language, setLanguage] = useSaved<Language>("quackllm-language", navigator.language.startsWith("zh") ? "zh" : "en");
  const [theme, setTheme] = useSaved<Theme>("quackllm-theme", "system");
  const systemDark = useMedia("(prefers-color-scheme: dark)");
  const [page, setPage] = useState<Page>(pageOfAddress);
  const [visited, setVisited] = useState<Set<Page>>(new Set([page]));
  const [session, setSession] = useState<Session | null>(null);
  const [keyNeeded, setKeyNeeded] = useState<"" | "missing" | "wrong">("");
  const [error, setError] = useState<unknown>(null);
  const say = useMemo(() => speak(language), [language]);
  const dark = theme === "dark" || (theme === "system" && systemDark);

  const load = () => {
    setError(null);
    get<Session>("/console/session").then(
      (found) => { setSession(found); setKeyNeeded(""); },
      (failure: unknown) => {
        if (failure instanceof GatewayError && failure.status === 401) setKeyNeeded(savedKey() ? "wrong" : "missing");
        else setError(failure);
      },
    );
  };
  useEffect(load, []);
  useEffect(() => { document.documentElement.lang = language === "zh" ? "zh-CN" : "en"; }, [language]);
  useEffect(() => { document.documentElement.dataset["theme"] = dark ? "dark" : "light"; }, [dark]);
  useEffect(() => {
    const follow = () => { setPage(pageOfAddress()); scrollTo(0, 0); };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => setVisited(new Set([...visited, page])), [page]);
  useEffect(() => { document.title = `${say(page)} · quackllm`; }, [page, say]);

  const needKey = () => { saveKey(""); setKeyNeeded("missing"); };
  const shell = { say, language, dark, session: session!, reload: load, needKey };
  const show = (name: Page) => ({ hidden: page !== name, "data-page": name });
  return (
    <ShellContext.Provider value={shell}>
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById("content")?.focus(); }}>{say("skip")}</a>
      <Frame say={say} page={page} theme={theme} setTheme={setTheme} language={language} setLanguage={setLanguage}
        onForget={savedKey() && !keyNeeded ? needKey : null} keyName={session?.key?.name ?? ""} />
      <main id="content" tabIndex={-1}>
        {error !== null ? <div class="page column"><ErrorBox error={error} onRetry={load} /></div>
          : keyNeeded ? <KeyPage say={say} wrong={keyNeeded === "wrong"} onKey={(key) => { saveKey(key); load(); }} />
          : !session ? <div class="page column"><Spinner>{say("loading")}</Spinner></div>
          : (
            <>
              {visited.has("ask") && <section {...show("ask")}><AskPage /></section>}
              {visited.has("sql") && <section {...show("sql")}><SqlPage /></section>}
              {visited.has("chat") && <section {...show("chat")}><ChatPage /></section>}
              {visited.has("models") && <section {...show("models")}><ModelsPage active={page === "models"} /></section>}
              {visited.has("usage") && <section {...show("usage")}><UsagePage active={page === "usage"} /></section>}
            </>
          )}
      </main>
    </ShellContext.Provider>
  );
}

interface FrameProps {
  say: Say;
  page: Page;
  theme: Theme;
  setTheme: (theme: Theme) => void;
  language: Language;
  setLanguage: (language: Language) => void;
  onForget: (() => void) | null;
  keyName: string;
}

function Frame({ say, page, theme, setTheme, language, setLanguage, onForget, keyName }: FrameProps) {
  return (
    <header class="frame">
      <a class="brand" href="#/ask">
        <img src="/console/assets/icon.svg" alt="" width="28" height="28" />
        <span>quackllm</span>
      </a>
      <nav aria-label={say("pages")}>
        {PAGES.map((name) => (
          <a key={name} href={`#/${name}`} aria-current={name === page ? "page" : undefined}>
            <Icon name={name} />
            <span>{say(name)}</span>
          </a>
        ))}
      </nav>
      <div class="settings">
        {onForget && <Button kind="quiet" icon="key" onClick={onForget} title={say("keyForget")} label={say("keyForget")}>{keyName}</Button>}
        <div class="choice icons" role="group" aria-label={say("theme")}>
          {THEMES.map(([value, word, icon]) => (
            <button key={value} type="button" aria-pressed={theme === value} aria-label={say(word)} title={say(word)} onClick={() => setTheme(value)}>
              <Icon name={icon} />
            </button>
          ))}
        </div>
        <button type="button" class="button quiet language" lang={language === "zh" ? "en" : "zh-CN"} title={say("languageLabel")} onClick={() => setLanguage(language === "zh" ? "en" : "zh")}>
          {say("language")}
        </button>
        <a class="docs-link" href={language === "zh" ? "/docs/zh" : "/docs"}>{say("docs")}</a>
      </div>
    </header>
  );
}

function KeyPage({ say, wrong, onKey }: { say: Say; wrong: boolean; onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  return (
    <div class="page column key-page">
      <form class="card" onSubmit={(event) => { event.preventDefault(); onKey(key.trim()); }}>
        <Icon name="key" />
        <h1>{say("keyTitle")}</h1>
        <p class="muted">{say("keyHelp")}</p>
        <label>
          <span>{say("keyLabel")}</span>
          <input type="password" value={key} autocomplete="off" placeholder="qk-…" onInput={(event) => setKey(event.currentTarget.value)} />
        </label>
        {wrong && <p class="warning-line" role="alert">{say("keyWrong")}</p>}
        <Button kind="primary" type="submit" disabled={!key.trim()}>{say("keyEnter")}</Button>
      </form>
    </div>
  );
}

render(<App />, document.getElementById("app")!);
