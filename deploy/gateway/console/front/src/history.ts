// The questions that were asked before: the browser keeps them on this computer, for each API key apart.
import type { Turn } from "./api";

/** What is asked; `history` has the questions, and their SQL, that it goes on from. */
export interface Question { question: string; database: string; model: string | null; votes: number; notes: string; history: Turn[] }

const MOST = 50;
const placeOf = (key: string): string => `quackllm-questions${key && `-${key}`}`;

/** Returns the questions, the newest first. */
export function savedQuestions(key: string): Question[] {
  try {
    return JSON.parse(localStorage.getItem(placeOf(key)) ?? "[]") as Question[];
  } catch {
    return [];
  }
}

/** Adds a question, in place of the same one before, and returns them all. */
export function saveQuestion(key: string, { question, database, model, votes, notes, history }: Question): Question[] {
  const others = savedQuestions(key).filter((one) => one.question !== question || one.database !== database);
  const all = [{ question, database, model, votes, notes, history }, ...others].slice(0, MOST);
  localStorage.setItem(placeOf(key), JSON.stringify(all));
  return all;
}

export function forgetQuestions(key: string): void {
  localStorage.removeItem(placeOf(key));
}
