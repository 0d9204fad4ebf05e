// Models: their state, replicas, queues and speed, and the line that deploys each.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api";
import type { ModelState } from "./api";
import { CopyButton, Empty, ErrorBox, Spinner, useLoaded, useShell } from "./parts";
import { count } from "./text";
import type { Say } from "./text";

const LOOK_SECONDS = 2;
const FIRST_MODEL = "quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max -p saas.api_key=env:DASHSCOPE_API_KEY";

export function ModelsPage({ active }: { active: boolean }) {
  const { say, session } = useShell();
  const { value, error, again } = useLoaded<ModelState[]>((signal) => get("/console/models", signal), [active], active ? LOOK_SECONDS : 0);
  const speeds = useSpeeds(value);
  const deployed = value?.filter((model) => !model.builtin) ?? [];
  const builtin = value?.filter((model) => model.builtin) ?? [];
  return (
    <div class="page column">
      <header class="page-head">
        <h1>{say("modelsTitle")}</h1>
        <p>{say("modelsLead")}</p>
      </header>
      {error !== null && <ErrorBox error={error} onRetry={again} />}
      {!value && error === null && <Spinner>{say("loading")}</Spinner>}
      {value && !deployed.length && (
        <div class="card">
          <Empty icon="models" title={say("deployFirst")}>
            <p>{say("deployFirstHelp")}</p>
            {session.admin && <div class="copy-line"><code>{FIRST_MODEL}</code><CopyButton text={FIRST_MODEL} /></div>}
          </Empty>
        </div>
      )}
      <div class="model-list">
        {[...deployed, ...builtin].map((model) => <ModelCard key={model.name} model={model} speed={speeds[model.name] ?? 0} />)}
      </div>
    </div>
  );
}

/** Returns the tokens a second that each model has written between the last two looks. */
function useSpeeds(models: ModelState[] | null): Record<string, number> {
  const before = useRef<{ at: number; tokens: Record<string, number> } | null>(null);
  const [speeds, setSpeeds] = useState<Record<string, number>>({});
  useEffect(() => {
    if (!models) return;
    const now = { at: performance.now(), tokens: Object.fromEntries(models.map((model) => [model.name, model.output_tokens])) };
    const last = before.current;
    before.current = now;
    if (!last || now.at === last.at) return;
    const seconds = (now.at - last.at) / 1000;
    setSpeeds(Object.fromEntries(models.map((model) => [model.name, Math.max(0, model.output_tokens - (last.tokens[model.name] ?? model.output_tokens)) / seconds])));
  }, [models]);
  return speeds;
}

function state(model: ModelState, say: Say): { kind: "good" | "idle" | "bad"; text: string } {
  if (model.builtin) return { kind: "good", text: say("ready") };
  if (!model.replicas.length) return { kind: "idle", text: say("onRequest") };
  const paused = Math.max(...model.replicas.map((replica) => replica.paused_seconds));
  if (paused > 0) return { kind: "bad", text: say("paused", Math.ceil(paused)) };
  const alive = model.replicas.filter((replica) => replica.alive).length;
  if (alive === model.replicas.length) return { kind: "good", text: say("ready") };
  return alive ? { kind: "bad", text: say("someAlive", alive, model.replicas.length) } : { kind: "bad", text: say("dead") };
}

function ModelCard({ model, speed }: { model: ModelState; speed: number }) {
  const { say } = useShell();
  const sum = (field: "answered" | "failed" | "under_way") => model.replicas.reduce((total, replica) => total + replica[field], 0);
  const restarts = model.replicas.reduce((total, replica) => total + Math.max(0, replica.starts - 1), 0);
  const { kind, text } = state(model, say);
  const figures: [string, string][] = [
    [say("replicas"), count(model.replicas.length || (model.builtin ? 1 : 0))],
    [say("inFlight"), count(sum("under_way"))],
    [say("queue"), count(model.queued)],
    [say("tokensPerSecond"), speed.toFixed(speed < 10 ? 1 : 0)],
    [say("answered"), count(sum("answered"))],
    [say("failed"), count(sum("failed"))],
  ];
  return (
    <article class={`model card${model.builtin ? " builtin" : ""}`}>
      <header>
        <h2 class="mono">{model.name}</h2>
        <span class={`state ${kind}`}>{text}</span>
        <span class="muted">{model.builtin ? say("builtin") : model.type}</span>
        {restarts > 0 && <span class="tag">{say("restarts", restarts)}</span>}
        {!model.builtin && <span class="muted place">{say("runsIn", model.place === "this process" ? say("thisProcess") : model.place)}</span>}
      </header>
      {!model.builtin && (
        <dl class="figures">
          {figures.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
        </dl>
      )}
      {model.deploy && (
        <div class="copy-line" role="group" aria-label={say("deployLine")}>
          <code>{model.deploy}</code>
          <CopyButton text={model.deploy} />
        </div>
      )}
    </article>
  );
}
