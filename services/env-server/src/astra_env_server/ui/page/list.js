// The list of arenas, with filters. All of it is in the address, so that it can be kept and sent.

import { get } from "./api.js";
import { byRate, chip, h, notice, percent, words } from "./dom.js";

const CHOICES = {
  split: ["train", "validation", "test"],
  topology: ["single_hop", "parallel_single_hop", "multi_hop", "parallel_multi_hop"],
  language: ["en", "zh"],
};
const FILTERS = ["split", "domain", "language", "topology", "min_hops", "max_hops"];
const PER_PAGE = 24;

export async function listPage(query) {
  const asked = new URLSearchParams({ limit: PER_PAGE });
  for (const name of [...FILTERS, "cursor"]) if (query.get(name)) asked.set(name, query.get(name));
  const page = await get(`arenas?${asked}`);
  const filtered = FILTERS.some((name) => query.get(name));
  const body = page.items.length
    ? h("ul", { class: "cards" }, page.items.map(card))
    : notice(filtered ? "No arena is like that" : "No arena is published yet",
      h("p", null, filtered ? h("a", { href: "#/" }, "Take the filters away") : h("code", null, "astra synth arenas library --count 20")));
  return { title: "Arenas", nodes: [form(query), body, pager(query, page.next_cursor)] };
}

function form(query) {
  const go = (event) => {
    event?.preventDefault();
    const chosen = new URLSearchParams();
    for (const [name, value] of new FormData(element)) if (value.trim()) chosen.set(name, value.trim());
    location.hash = `#/?${chosen}`;
  };
  const select = (name) => h("label", null, h("span", null, name),
    h("select", { name, onchange: go }, h("option", { value: "" }, "any"),
      CHOICES[name].map((value) => h("option", { value, selected: query.get(name) === value }, words(value)))));
  const number = (name) => h("input", { name, type: "number", min: 1, max: 64, value: query.get(name), onchange: go, "aria-label": words(name), placeholder: name === "min_hops" ? "from" : "to" });
  const element = h("form", { class: "filters", onsubmit: go },
    select("split"), select("topology"), select("language"),
    h("label", null, h("span", null, "domain"), h("input", { name: "domain", value: query.get("domain"), placeholder: "any", maxlength: 100, onchange: go })),
    h("label", null, h("span", null, "hops"), h("span", { class: "range" }, number("min_hops"), number("max_hops"))),
    FILTERS.some((name) => query.get(name)) ? h("a", { href: "#/", class: "clear" }, "Clear") : null);
  return element;
}

function card(arena) {
  return h("li", null, h("a", { class: "card", href: `#/arenas/${arena.id}` },
    h("div", { class: "chips" }, chip(arena.domain, "domain"), chip(words(arena.topology)), chip(arena.split, arena.split), arena.language === "en" ? null : chip(arena.language), arena.stateful ? chip("stateful") : null),
    h("p", { class: "prompt", lang: arena.language }, arena.prompt),
    h("p", { class: "facts" }, `${arena.subtask_count} sub-task${arena.subtask_count === 1 ? "" : "s"} · ${arena.hops} hop${arena.hops === 1 ? "" : "s"} · ${arena.tools.length} tools · ${arena.teacher}`),
    solved(arena.solve_rates)));
}

// The weakest and the strongest policy that was measured: between them lies what an arena can teach.
function solved(rates) {
  const found = byRate(rates);
  if (!found.length) return null;
  const ends = found.length > 1 ? [found[0], found.at(-1)] : found;
  return h("p", { class: "facts" }, `solved: ${ends.map(([name, rate]) => `${percent(rate.solve_rate)} by ${name}`).join(", ")}`);
}

function pager(query, next) {
  const here = query.get("cursor");
  if (!here && !next) return h("span");
  const first = new URLSearchParams(query);
  first.delete("cursor");
  const following = new URLSearchParams(query);
  following.set("cursor", next);
  return h("nav", { class: "pager" },
    here ? h("a", { class: "button", href: `#/?${first}` }, "First page") : null,
    here ? h("button", { onclick: () => history.back() }, "Back") : null,
    next ? h("a", { class: "button", href: `#/?${following}` }, "Next page") : null);
}
