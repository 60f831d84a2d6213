// One arena: what an agent sees of it, and, for those who may, how it is solved, checked and made.

import { get } from "./api.js";
import { code } from "./code.js";
import { depths, drawing } from "./dag.js";
import { byRate, chip, h, percent, pretty, words } from "./dom.js";
import { replay } from "./replay.js";

export async function arenaPage(id) {
  const [view, whole] = await Promise.all([
    get(`arenas/${id}`),
    get(`arenas/${id}/full`).catch((error) => { if (error.status === 403) return null; throw error; }),
  ]);
  const spec = whole?.spec;
  const played = spec ? replay(id, spec) : null;
  return {
    title: `${view.domain} ${id.slice(0, 10)}`,
    close: played?.close,
    nodes: [
      head(view, whole),
      section("Prompt", null, h("div", { class: "prompt whole", lang: view.language }, view.prompt)),
      spec ? section("Decomposition", h("span", { class: "dim" }, words(spec.topology)), h("div", { class: "scroll" }, played.dag = drawing(spec.subtasks))) : hidden(),
      spec ? section("Golden episode", played.controls, played.element) : null,
      spec ? section("Sub-tasks", null, subtasks(spec)) : null,
      spec?.state ? section("Initial state", null, code(pretty(spec.state))) : null,
      section("Tools", null, tools(view, spec)),
      whole ? section("Soundness", verdict(whole.soundness), checks(whole.soundness)) : null,
      Object.keys(view.solve_rates ?? {}).length ? section("Difficulty", h("span", { class: "dim" }, "measured, the weakest policy first"), difficulty(view.solve_rates)) : null,
      spec ? section("Provenance", null, provenance(spec)) : null,
    ],
  };
}

const section = (title, aside, ...rest) => h("section", { class: "part" }, h("div", { class: "part-head" }, h("h2", null, title), aside), rest);

function head(view, whole) {
  const copy = h("button", { class: "link", onclick: () => navigator.clipboard?.writeText(view.id).then(() => { copy.textContent = "copied"; }) }, "copy");
  return h("div", { class: "head" },
    h("p", { class: "back" }, h("button", { class: "link", onclick: () => (history.length > 1 ? history.back() : location.assign("#/")) }, "← Arenas")),
    h("h1", null, view.domain),
    h("div", { class: "chips" }, chip(words(view.topology)), chip(`${view.hops} hop${view.hops === 1 ? "" : "s"}`), chip(`${view.subtask_count} sub-tasks`), chip(view.split, view.split),
      chip(view.language), chip(view.sound ? "sound" : "not sound", view.sound ? "good" : "bad"), whole?.spec.state ? chip("stateful") : null),
    h("p", { class: "id" }, h("code", null, view.id), " ", copy));
}

const hidden = () => h("p", { class: "notice small" }, "Code, answers, the report and the replay take a key of role trainer or more.");

function subtasks(spec) {
  const depth = depths(spec.subtasks);
  const row = (task) => h("tr", null,
    h("td", { class: "number" }, String(task.id)), h("td", { class: "number" }, String(depth.get(task.id))),
    h("td", { lang: spec.language }, task.question, task.depends_on.length ? h("span", { class: "dim" }, ` needs ${task.depends_on.join(", ")}`) : null),
    h("td", null, call(task.golden_call)),
    h("td", null, h("code", null, JSON.stringify(task.answer.value)), task.answer.tolerance ? ` ± ${task.answer.tolerance}` : null, task.state_path ? h("span", { class: "dim" }, ` at ${task.state_path} of the state`) : null));
  return h("div", { class: "scroll" }, h("table", null,
    h("thead", null, h("tr", null, ["id", "hop", "question", "golden call", "answer"].map((name) => h("th", null, name)))),
    h("tbody", null, spec.subtasks.map(row)),
    spec.final_answer ? h("tfoot", null, h("tr", null, h("td", { colspan: 4 }, "final answer"), h("td", null, h("code", null, JSON.stringify(spec.final_answer.value))))) : null));
}

export const call = (made) => h("code", { class: "call" }, `${made.name}(${Object.entries(made.arguments).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(", ")})`);

function tools(view, spec) {
  if (!spec) return view.tools.map((tool) => tooling(tool.function.name, tool.function.description, tool.function.parameters));
  return [...spec.tools.map((tool) => tooling(tool.name, tool.description, tool.parameters, tool.code, true)),
    ...spec.distractors.map((tool) => tooling(tool.name, tool.description, tool.parameters, tool.code, false))];
}

function tooling(name, description, parameters, source, own) {
  const needed = new Set(parameters.required ?? []);
  const properties = Object.entries(parameters.properties ?? {});
  return h("details", { class: "tool", open: own },
    h("summary", null, h("code", null, name), own === false ? chip("distractor") : null, h("span", { class: "dim" }, description)),
    properties.length ? h("table", { class: "parameters" }, h("tbody", null, properties.map(([key, value]) => h("tr", null,
      h("td", null, h("code", null, key), needed.has(key) ? null : h("span", { class: "dim" }, " optional")),
      h("td", { class: "dim" }, kind(value)), h("td", null, value?.description ?? ""))))) : null,
    source ? code(source) : null);
}

function kind(schema) {
  if (!schema || typeof schema !== "object") return "";
  const told = [schema.type ?? ""].flat().join(" or ");
  if (schema.enum) return `${told}: ${schema.enum.map((v) => JSON.stringify(v)).join(", ")}`;
  const bounds = [schema.minimum !== undefined && `from ${schema.minimum}`, schema.maximum !== undefined && `to ${schema.maximum}`].filter(Boolean).join(" ");
  return [told, bounds, schema.items?.type && `of ${schema.items.type}`].filter(Boolean).join(" ");
}

const verdict = (report) => chip(report.sound ? `sound: all ${report.checks.length} checks hold` : "not sound", report.sound ? "good" : "bad");

function checks(report) {
  return h("div", { class: "scroll" }, h("table", { class: "checks" }, h("tbody", null, report.checks.map((check) => h("tr", null,
    h("td", { class: check.passed ? "good" : "bad", "aria-label": check.passed ? "passed" : "failed" }, check.passed ? "✓" : "✗"),
    h("td", null, h("code", null, check.name)), h("td", null, check.detail), h("td", { class: "dim" }, check.evidence))))),
    h("p", { class: "dim" }, `The golden calls earn ${report.oracle_reward}. Version ${report.gate} of the gate.`));
}

function difficulty(rates) {
  const row = ([name, rate]) => h("tr", null, h("td", null, h("code", null, name)), h("td", { class: "number" }, percent(rate.solve_rate)),
    h("td", { class: "number" }, rate.f1.toFixed(3)), h("td", { class: "number" }, String(rate.episodes)), h("td", { class: "dim" }, `${rate.source} ${rate.measured_at.slice(0, 10)}`));
  return h("div", { class: "scroll" }, h("table", null,
    h("thead", null, h("tr", null, ["policy", "solved", "F1", "episodes", "measured"].map((name) => h("th", null, name)))),
    h("tbody", null, byRate(rates).map(row))));
}

function provenance(spec) {
  const rows = Object.entries(spec.provenance).filter(([, value]) => value !== null && value !== "" && !(typeof value === "object" && !Object.keys(value).length));
  return h("table", { class: "facts-table" }, h("tbody", null, rows.map(([name, value]) => h("tr", null,
    h("th", null, words(name)), h("td", null, typeof value === "object" ? h("code", null, pretty(value)) : String(value))))));
}
