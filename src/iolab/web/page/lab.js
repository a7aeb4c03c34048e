// The page of the lab. Text of runs reaches the page as text only (textContent), never as HTML.
"use strict";

const $ = (selector, inside = document) => inside.querySelector(selector);
const TOKEN = $("meta[name=token]").content;
const COLOURS = { A: "--a", B: "--b", C: "--c", D: "--d", E: "--e", F: "--f", G: "--g", H: "--h", J: "--j", K: "--k", X: "--x" };
const colour = (letter) => getComputedStyle(document.documentElement).getPropertyValue(COLOURS[letter] || "--accent").trim();
const number = (value, digits = 3) => Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 3 });
const seconds = (value) => value === null || value === undefined ? "–" : value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`;
const rate = (value) => value === null || value === undefined ? "–" : `${number(value)}/s`;
const kilobytes = (value) => `${number(Math.max(0.1, value / 1000))} kB`;
const lasts = (value) => value >= 90 ? `${Math.round(value / 60)} min` : `${Math.round(value)} s`;

function make(name, attributes = {}, ...children) {
  const found = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in found && key !== "list" && key !== "style") found[key] = value; else found.setAttribute(key, value);
  }
  found.append(...children);
  return found;
}

function complain(text) {
  $("#problem").textContent = text;
  $("#problem").hidden = !text;
}

const LOST = "The lab does not answer: start it again with make lab.";

async function ask(path, given) {
  const options = given === undefined ? {} : { method: "POST", body: JSON.stringify(given), headers: { "X-Lab-Token": TOKEN } };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    complain(LOST);
    return null;
  }
  if (!answer.ok) {
    complain((await answer.text()).trim().slice(0, 400));
    return null;
  }
  if (given || $("#problem").textContent === LOST) complain(""); // what only reads, also by itself, answers no complaint
  return answer.json();
}

// ---------------------------------------------------------------- the parts of the page

const parts = { learn: openLearn, live: openLive, runs: openRuns, run: openRun, trace: openTrace, start: openStart, "what-if": openWhatIf };
let leave = () => {};

function show() {
  let hash = "live";
  try { hash = decodeURIComponent(location.hash.slice(1)) || hash; } catch { /* no address of this page */ }
  const [name, ...rest] = hash.split("/");
  const part = name in parts ? name : "live";
  leave();
  leave = () => {};
  complain("");
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== (part === "trace" ? "run" : part);
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#${part}` || (["run", "trace"].includes(part) && link.hash === "#runs");
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  leave = parts[part](rest.join("/")) || (() => {});
}

async function showLock() {
  const state = await ask("/api/state");
  if (!state) return null;
  folder = state.results;
  const held = state.lock && state.lock.what !== "the live view" ? state.lock : null;
  $("#lock").hidden = !held;
  if (held) {
    const rest = held.expected_s === null ? null : held.since + held.expected_s - Date.now() / 1000;
    const left = rest === null ? "" : rest > 1 ? `, about ${lasts(rest)} left` : ", which ends soon";
    $("#lock").textContent = `Measuring: ${held.what || "an experiment"}${left}`;
  }
  return state;
}

// ---------------------------------------------------------------- live

let folder = "results"; // of the runs
const lanes = new Map(); // by letter
let settings = null;
let paused = true;
const still = matchMedia("(prefers-reduced-motion: reduce)");

function lined(lengths, queues, waiting) { // so many as wait, in the queues that the kernel's lengths say, as far as they do
  const found = Array.from({ length: queues }, () => 0);
  for (let left = waiting, place = 0; left > 0; left -= 1) {
    let queue = found.findIndex((length, number) => length < (lengths[number] ?? 0));
    if (queue < 0) queue = place++ % queues;
    found[queue] += 1;
  }
  return found;
}

class Lane {
  constructor(letter) {
    this.letter = letter;
    this.dots = new Map(); // by user: state, place, target, seat
    this.ghosts = [];
    this.counts = { sent: 0, done: 0, failed: 0 };
    this.figures = {};
    this.canvas = make("canvas", { role: "img" });
    this.title = make("h2");
    this.state = make("span", { className: "state" });
    this.values = {};
    const count = (name, text) => make("div", {}, make("dt", {}, text), this.values[name] = make("dd", {}, "0"));
    const row = (name, text, extra = "") => make("tr", { className: extra }, make("th", { scope: "row" }, text), this.values[name] = make("td"), this.values[`${name}-theory`] = make("td"));
    const bar = (name, text) => make("div", {}, make("span", {}, text), this.values[`${name}-bar`] = make("i"), this.values[`${name}-number`] = make("span"));
    const act = (action, text) => make("button", { type: "button", onclick: () => ask(`/api/live/${action}`, { lane: letter }) }, text);
    this.element = make("article", { className: "lane" },
      this.title, this.canvas,
      make("div", { className: "bars" }, bar("sending", "Connecting"), bar("queued", "Queued"), bar("served", "In service")),
      make("div", { className: "side" },
        make("dl", { className: "counts" }, count("in_flight", "in flight"), count("queued", "queued"), count("served", "in service")),
        make("table", { className: "values" },
          make("thead", {}, make("tr", {}, make("th"), make("th", { scope: "col" }, "measured"), make("th", { scope: "col" }, "theory"))),
          make("tbody", {}, row("rps", "Throughput"), row("median_s", "Median"), row("p95_s", "p95", "extra"), row("cpu", "CPU", "extra"), row("threads", "Threads", "extra"))),
        this.gauge = make("div", { className: "gauge" }, make("i"), make("b", { hidden: true })),
        make("div", { className: "buttons" }, act("kill", "Kill server"), act("restart", "Restart it"))));
    this.element.style.setProperty("--model", `var(${COLOURS[letter] || "--accent"})`);
    this.element.dataset.lane = letter;
  }

  take(lane) { // the whole state
    this.about = lane;
    this.counts = { sent: lane.sent, done: lane.done, failed: lane.failed };
    this.title.replaceChildren(`${lane.letter} · ${lane.title} `, this.state);
    const known = new Map(lane.users);
    for (const user of this.dots.keys()) if (!known.has(user)) this.dots.delete(user);
    for (const [user, state] of known) this.move(user, state, false);
    this.figure(lane.figures);
  }

  move(user, state, counted = true) {
    let dot = this.dots.get(user);
    if (state === "gone") {
      this.dots.delete(user);
      return;
    }
    if (!dot) this.dots.set(user, dot = { x: 0.02, y: 0.5, since: 0, seat: -1 });
    if (dot.state === state) return;
    if (counted && state === "done") {
      this.counts.done += 1;
      this.ghosts.push({ x: dot.x, y: dot.y, life: 1 });
      dot.x = 0.02;
    }
    if (counted && state === "failed") this.counts.failed += 1;
    dot.state = state;
    dot.since = performance.now() + user / 1000;
    dot.seat = -1;
  }

  figure(figures) {
    this.figures = figures;
    const theory = this.about.theory || {};
    const put = (name, text) => { if (this.values[name].textContent !== text) this.values[name].textContent = text; };
    for (const name of ["in_flight", "queued", "served"]) put(name, String(figures[name]));
    put("rps", rate(figures.rps));
    put("rps-theory", rate(theory.rps));
    put("median_s", seconds(figures.median_s));
    put("median_s-theory", theory.response_s === null && theory.utilisation >= 1 ? "grows for ever" : seconds(theory.response_s));
    put("p95_s", seconds(figures.p95_s));
    put("cpu", figures.cpu === null ? "–" : `${Math.round(figures.cpu * 100)} %`);
    put("threads", figures.threads === null ? "–" : String(figures.threads));
    const most = Math.max(1e-9, ...[...lanes.values()].flatMap((lane) => [lane.figures.median_s || 0, (lane.about.theory || {}).response_s || 0])) * 1.08;
    $("i", this.gauge).style.width = `${100 * (figures.median_s || 0) / most}%`;
    $("b", this.gauge).hidden = !theory.response_s;
    $("b", this.gauge).style.left = `${100 * (theory.response_s || 0) / most}%`;
    this.gauge.title = "Median; the mark is theory";
    const users = Math.max(1, ...["sending", "queued", "served"].map((name) => figures[name]));
    for (const name of ["sending", "queued", "served"]) {
      this.values[`${name}-bar`].style.width = `${100 * figures[name] / users}%`;
      put(`${name}-number`, String(figures[name]));
    }
    const missed = figures.missed ? `${figures.missed} arrivals had no room here` : "";
    const wrong = { starting: "starts …", ended: figures.why || "has ended", stopped: "is stopped" }[figures.state] || missed || (paused ? "paused" : "");
    if (this.state.textContent !== wrong) this.state.textContent = wrong;
    this.element.dataset.queues = figures.queues;
    this.canvas.setAttribute("aria-label", `Server ${this.letter}: ${figures.served} in service, ${figures.queued} queued, ${figures.sending} connecting; ${figures.done} answered, ${figures.failed} failed`);
    this.element.dataset.done = this.counts.done;
  }

  places(width, height) { // a target for every dot, in pixels
    const size = Math.max(5, Math.min(11, height / 15)), gap = size * 2.5, top = 30, rows = Math.max(1, Math.floor((height - top - 6) / gap));
    const zones = { queue: width * 0.1, served: width * 0.55, done: width * 0.86 };
    const ordered = { sending: [], queued: [], served: [], answering: [], failed: [], done: [] };
    for (const dot of this.dots.values()) (ordered[dot.state] || ordered.done).push(dot);
    for (const list of Object.values(ordered)) list.sort((one, other) => one.since - other.since);
    const many = (room, count) => Math.min(gap, room / Math.max(1, Math.ceil(count / rows)));
    const split = this.figures.queues > 1 ? this.figures.queues : 0, high = (height - top - 6) / Math.max(1, split);
    const row = (place) => top + (place + 0.5) * high;
    const lengths = split ? lined(this.figures.lengths, split, ordered.queued.length + ordered.sending.length) : [];
    if (split) { // a row is a queue and its process; the kernel says how many wait in each, not which of the users
      const waiting = [...ordered.queued, ...ordered.sending], step = Math.min(gap, (zones.served - zones.queue - gap * 1.4) / Math.max(1, ...lengths));
      for (const [queue, length] of lengths.entries()) for (let place = 0; place < length; place += 1) {
        const dot = waiting.shift();
        [dot.tx, dot.ty] = [zones.served - gap * 1.2 - place * step, row(queue)];
      }
    } else {
      const step = many(zones.served - zones.queue - gap * 1.4, ordered.queued.length + ordered.sending.length);
      [...ordered.queued, ...ordered.sending].forEach((dot, place) => { // the first stands next to the server
        dot.tx = zones.served - gap * 1.2 - Math.floor(place / rows) * step;
        dot.ty = top + (place % rows + 0.5) * gap;
      });
    }
    const threads = this.about.thread_each ? Math.max(0, (this.figures.threads || 0) - 1) : null; // one accepts connections
    const seats = this.figures.workers ?? Math.max(ordered.served.length, threads ?? this.dots.size);
    const taken = new Set(ordered.served.filter((dot) => dot.seat >= 0).map((dot) => dot.seat));
    const wide = many(zones.done - zones.served - size - gap * 0.5, seats);
    const seat = split ? (place) => [zones.served + gap * 0.6, row(place)]
      : (place) => [zones.served + Math.floor(place / rows) * wide + gap * 0.6, top + (place % rows + 0.5) * gap];
    const order = Array.from({ length: Math.max(seats, ordered.served.length) }, (_, place) => place);
    order.sort((one, other) => Number(lengths[other] > 0) - Number(lengths[one] > 0)); // where a queue is, the process is busy
    for (const dot of ordered.served) {
      if (dot.seat < 0) {
        dot.seat = order.find((place) => !taken.has(place)) ?? 0;
        taken.add(dot.seat);
      }
      [dot.tx, dot.ty] = seat(dot.seat);
    }
    ordered.answering.forEach((dot, place) => {
      dot.tx = zones.done;
      dot.ty = top + (place % rows + 0.5) * gap;
    });
    [...ordered.done, ...ordered.failed].forEach((dot, place) => {
      dot.tx = gap * 0.8;
      dot.ty = top + (place % rows + 0.5) * gap;
    });
    return { size: split ? Math.min(size, high / 2.4) : size, zones, lines: lengths.map((_, queue) => row(queue)), seats: Array.from({ length: Math.min(64, seats) }, (_, place) => seat(place)) };
  }

  draw(ink) {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, scale = devicePixelRatio || 1;
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const pen = this.canvas.getContext("2d"), { size, zones, lines, seats } = this.places(width, height);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const font = Math.max(12, Math.min(16, width / 55));
    pen.font = `${font}px system-ui, sans-serif`;
    pen.fillStyle = ink.lane;
    pen.fillRect(zones.served, 24, zones.done - zones.served - size, height - 26);
    pen.fillStyle = ink.muted;
    pen.fillText(this.figures.workers === null ? "no queue" : width < 520 ? "queue" : this.about.broken ? "waiting for the loop" : lines.length ? `${lines.length} accept queues` : this.about.in_kernel ? "kernel's accept queue" : "server's own queue", zones.queue, 15);
    const threads = this.figures.threads;
    pen.fillText(threads && width >= 620 ? `in service, ${threads} thread${threads === 1 ? "" : "s"}` : "in service", zones.served, 15);
    pen.textAlign = "right";
    pen.fillText(`${this.counts.done} done${this.counts.failed ? `, ${this.counts.failed} failed` : ""}`, width - 2, 15);
    pen.textAlign = "left";
    pen.strokeStyle = ink.line;
    pen.lineWidth = 1.5;
    for (const y of lines) { // a line under each queue
      pen.beginPath();
      pen.moveTo(zones.queue, y + size + 1);
      pen.lineTo(zones.served - size, y + size + 1);
      pen.stroke();
    }
    for (const [x, y] of seats) {
      pen.beginPath();
      if (this.about.thread_each) pen.rect(x - size - 2, y - size - 2, 2 * size + 4, 2 * size + 4); // a thread
      else pen.arc(x, y, size + 1.5, 0, 7);
      pen.stroke();
    }
    for (const ghost of this.ghosts) {
      ghost.x += (1.02 - ghost.x) * 0.06;
      ghost.life -= 0.025;
      pen.globalAlpha = Math.max(0, ghost.life);
      pen.fillStyle = ink[this.letter];
      pen.beginPath();
      pen.arc(ghost.x * width, ghost.y * height, size, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    this.ghosts = this.ghosts.filter((ghost) => ghost.life > 0).slice(-80);
    for (const dot of this.dots.values()) {
      dot.x += (dot.tx / width - dot.x) * 0.18;
      dot.y += (dot.ty / height - dot.y) * 0.18;
      pen.beginPath();
      pen.arc(dot.x * width, dot.y * height, size, 0, 7);
      if (dot.state === "sending") {
        pen.strokeStyle = ink[this.letter];
        pen.lineWidth = 2;
        pen.stroke();
      } else {
        pen.fillStyle = dot.state === "failed" ? ink.error : ink[this.letter];
        pen.globalAlpha = dot.state === "queued" ? 0.55 : 1;
        pen.fill();
        pen.globalAlpha = 1;
      }
    }
  }
}

function inks() {
  const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
  const letters = Object.entries(COLOURS).map(([letter, name]) => [letter, of(name)]);
  return { muted: of("--muted"), line: of("--line"), lane: of("--lane"), error: of("--error"), ...Object.fromEntries(letters) };
}

let ink = null;
let frames = 0;
let painting = false;
function paint() {
  painting = !$("#live").hidden;
  if (!painting) return;
  requestAnimationFrame(paint);
  frames += 1;
  if (frames % 60 === 1) ink = inks();
  if (!still.matches) for (const lane of lanes.values()) lane.draw(ink);
}

function takeState(state) {
  settings = state.settings;
  paused = state.paused;
  const shown = new Set(state.lanes.map((lane) => lane.letter));
  for (const [letter, lane] of lanes) if (!shown.has(letter)) { lane.element.remove(); lanes.delete(letter); }
  for (const lane of state.lanes) {
    if (!lanes.has(lane.letter)) lanes.set(lane.letter, new Lane(lane.letter));
    const element = lanes.get(lane.letter).element, place = state.lanes.indexOf(lane);
    if ($("#lanes").children[place] !== element) $("#lanes").insertBefore(element, $("#lanes").children[place] || null); // moved only if it must be: that takes the focus
    lanes.get(lane.letter).about = lane;
  }
  for (const lane of state.lanes) lanes.get(lane.letter).take(lane);
  $("#lanes").style.setProperty("--lanes", Math.max(1, state.lanes.length));
  const go = $("#go");
  go.dataset.action = paused ? "start" : "pause";
  go.textContent = paused ? (state.lanes.length ? "Go on" : "Start") : "Pause";
  $("#block").setAttribute("aria-pressed", String(settings.blocked));
  $("#block").textContent = settings.blocked ? "Free the loop" : "Block the loop";
  $("#wait-said").textContent = seconds(settings.wait_ms / 1000);
  for (const box of document.querySelectorAll("#models input")) box.checked = settings.models.includes(box.value);
  for (const radio of document.querySelectorAll("#loops input")) radio.checked = settings.loop === radio.value;
  $(".closed-only").hidden = settings.loop !== "closed";
  $(".open-only").hidden = settings.loop === "closed";
  for (const input of document.querySelectorAll("#controls input[type=range]")) {
    if (document.activeElement !== input || !input.matches(":active")) input.value = settings[input.name];
    $("output", input.parentElement).textContent = input.value;
  }
  $("#controls [name=reuseport]").checked = settings.reuseport;
  $("#controls select").value = settings.backlog === null ? "" : String(settings.backlog);
}

function openLive() {
  document.body.classList.toggle("present", new URLSearchParams(location.search).has("present"));
  const source = new EventSource("/api/live/events");
  source.addEventListener("state", (event) => takeState(JSON.parse(event.data)));
  source.addEventListener("moves", (event) => {
    for (const [letter, moves] of Object.entries(JSON.parse(event.data))) {
      const lane = lanes.get(letter);
      if (lane) for (const [user, state] of moves) lane.move(user, state);
    }
  });
  source.addEventListener("figures", (event) => {
    for (const [letter, figures] of Object.entries(JSON.parse(event.data))) if (lanes.has(letter)) lanes.get(letter).figure(figures);
  });
  if (!painting) requestAnimationFrame(paint);
  return () => { source.close(); document.body.classList.remove("present"); };
}

function setUpLive(state) {
  for (const model of state.models) {
    const box = make("input", { type: "checkbox", value: model.letter });
    $("#models").append(make("label", {}, box, ` ${model.letter} ${model.title}`));
  }
  for (const button of document.querySelectorAll("#controls [data-action]")) {
    button.addEventListener("click", () => ask(`/api/live/${button.dataset.action}`, {}));
  }
  $("#block").addEventListener("click", () => {
    const models = settings.models.includes("C") ? settings.models : [...settings.models, "C"];
    ask("/api/live/set", { blocked: !settings.blocked, models });
  });
  const set = (name, value) => ask("/api/live/set", { [name]: value });
  $("#models").addEventListener("change", () => {
    const chosen = [...document.querySelectorAll("#models input:checked")].map((box) => box.value);
    if (chosen.length) set("models", chosen);
    else for (const box of document.querySelectorAll("#models input")) box.checked = settings.models.includes(box.value);
  });
  $("#loops").addEventListener("change", (event) => set("loop", event.target.value));
  $("#controls select").addEventListener("change", (event) => set("backlog", event.target.value ? Number(event.target.value) : null));
  $("#controls [name=reuseport]").addEventListener("change", (event) => set("reuseport", event.target.checked));
  for (const input of document.querySelectorAll("#controls input[type=range]")) {
    input.addEventListener("input", () => { $("output", input.parentElement).textContent = input.value; });
    input.addEventListener("change", () => set(input.name, Number(input.value)));
  }
  $("#controls").addEventListener("submit", (event) => event.preventDefault());
}

// ---------------------------------------------------------------- runs

let ticked = [];

function openRuns() {
  let ended = false;
  const load = async () => {
    const [runs, state] = await Promise.all([ask("/api/runs"), showLock()]);
    if (ended || !runs) return;
    listRuns(runs);
    $("#traces").replaceChildren(...(state && state.traces.length ? [make("h2", {}, "Traces"),
      make("ul", {}, ...state.traces.map((name) => make("li", {}, make("a", { href: `#trace/${encodeURIComponent(name)}` }, name))))] : []));
    if (runs.some((run) => run.status === "running")) setTimeout(load, 3000);
  };
  load();
  return () => { ended = true; };
}

function listRuns(runs) {
  const filters = $("#filters");
  const fill = (select, values) => {
    const before = select.value;
    select.replaceChildren(make("option", { value: "" }, "all"), ...[...new Set(values)].sort().map((value) => make("option", { value }, value)));
    select.value = before;
  };
  fill(filters.elements.kind, runs.map((run) => run.kind).filter(Boolean));
  fill(filters.elements.model, runs.flatMap((run) => run.models));
  const draw = () => {
    const wanted = runs.filter((run) => (!filters.elements.kind.value || run.kind === filters.elements.kind.value) && (!filters.elements.model.value || run.models.includes(filters.elements.model.value)));
    $("#count").textContent = `${wanted.length} of ${runs.length} runs`;
    $("#list").replaceChildren(...wanted.map(entryOf));
    if (!runs.length) $("#list").append(make("p", {}, "No run yet. ", make("a", { href: "#start" }, "Start an experiment"), ", or run make bench in a terminal."));
    tick();
  };
  filters.onchange = draw;
  draw();
}

function entryOf(run) {
  const box = make("input", { type: "checkbox", value: run.name, checked: ticked.includes(run.name) });
  box.setAttribute("aria-label", `Compare ${run.name}`);
  box.addEventListener("change", () => {
    ticked = box.checked ? [...ticked, run.name] : ticked.filter((name) => name !== run.name);
    for (const other of document.querySelectorAll(".entry input")) other.checked = ticked.includes(other.value);
    tick();
  });
  const address = `#run/${encodeURIComponent(run.name)}`;
  const picture = run.report ? make("img", { src: `/runs/${encodeURIComponent(run.name)}/figure.svg`, alt: "", loading: "lazy" }) : make("span", { className: "none" });
  picture.addEventListener("load", () => { if (picture.naturalWidth === 1) picture.replaceWith(make("span", { className: "none" })); });
  const when = run.started ? new Date(run.started).toLocaleString("sv").slice(0, 16) : "";
  const about = [run.experiment === run.kind ? run.kind : `${run.experiment} (${run.kind})`, when, run.models.length ? `servers ${run.models.join(", ")}` : "", run.quick ? "quick" : ""];
  return make("article", { className: `entry ${run.trust}` }, box, picture, make("div", {},
    make("h2", {}, make("a", { href: address }, run.question || run.name), " ", make("span", { className: `status ${run.status}` }, run.status)),
    make("p", {}, run.lacks || run.verdict),
    make("p", { className: "muted" }, ...(run.trust ? [make("b", {}, `Trust: ${run.trust}. `), run.why] : [])),
    make("p", { className: "muted" }, `${about.filter(Boolean).join(" · ")} · `, make("code", {}, run.name))));
}

function tick() {
  $("#compare").disabled = ticked.length < 2;
}

// The sides of a comparison, each a list of runs, the oldest first: runs of the same settings are one side, unless all are.
async function sidesOf(names) {
  const runs = $("#together").checked ? await ask("/api/runs") || [] : [];
  const settings = (name) => (runs.find((run) => run.name === name) || {}).settings || name;
  const sides = new Map(), sorted = [...names].sort();
  for (const name of sorted) sides.set(settings(name), [...(sides.get(settings(name)) || []), name]);
  return sides.size > 1 ? [...sides.values()] : sorted.map((name) => [name]);
}

function addressOf(sides) {
  return `#run/${sides.map((side) => side.map(encodeURIComponent).join(",")).join("/")}`;
}

function openRun(rest) {
  const sides = rest.split("/").map((side) => side.split(",")), [[name]] = sides;
  const frame = $("#run-report");
  $("#run-head").replaceChildren();
  $("#run-chart").replaceChildren();
  $("#run-live").hidden = true;
  frame.hidden = true;
  if (sides.length > 1) {
    const typed = sides.map((side) => side.map((run) => `${folder}/${run}`).join(" ")).join(sides.some((side) => side.length > 1) ? " : " : " ");
    $("#run-title").textContent = `${sides.flat().length} runs compared`;
    $("#run-head").append(make("p", { className: "muted" }, "First: ", make("code", {}, sides[0].join(" ")), " · ", make("a", { href: addressOf([...sides].reverse()) }, "reverse the order"), " · in a terminal: ", make("code", {}, `make compare RUNS="${typed}"`)));
    frame.src = `/compare?${sides.map((side) => `run=${side.map(encodeURIComponent).join(",")}`).join("&")}`;
    frame.hidden = false;
    return () => { frame.src = "about:blank"; };
  }
  let source = null, ended = false;
  const load = async () => {
    const run = (await ask("/api/runs") || []).find((each) => each.name === name);
    if (ended) return;
    if (!run) {
      complain("This run is not there any more.");
      return;
    }
    $("#run-title").textContent = run.question || name;
    const file = (path, text) => make("a", { href: `/runs/${encodeURIComponent(name)}/${path}`, target: "_blank" }, text);
    $("#run-head").replaceChildren(
      ...(run.status === "complete" && !run.report ? [make("p", { className: "banner" }, `This run has no report. To write it: make report RUN=${folder}/${name}`)] : []),
      ...(run.lacks || run.status === "killed" ? [make("p", { className: "banner" }, run.lacks || `This run was killed. To measure what is missing: make run RESUME=${folder}/${name}`)] : []),
      make("p", { className: "muted" }, make("code", {}, name), " · ", file("run.json", "settings"), " · ", file("trials.jsonl", "trials"), ...(run.report ? [" · ", file("summary.json", "cells"), " · ", file("report.md", "Markdown"), " · ", file("report.html", "report alone")] : []), ...(run.docs ? [" · ", make("a", { href: `/docs/${run.docs}`, target: "_blank" }, "about this experiment")] : [])));
    const rows = await ask(`/api/runs/${encodeURIComponent(name)}/files`) || [];
    if (!ended && rows.length) {
      $("#run-head").append(make("details", {}, make("summary", {}, `Raw rows: ${rows.length} file${rows.length === 1 ? "" : "s"}`),
        make("ul", { className: "files" }, ...rows.map((each) => make("li", {}, file(each.name, each.name.slice(8)), ` ${kilobytes(each.bytes)}`)))));
    }
    $("#run-live").hidden = run.status !== "running";
    frame.hidden = !run.report;
    if (run.report) {
      frame.src = `/runs/${encodeURIComponent(name)}/report.html`;
      chartOf(name);
    }
    if (run.status === "running") source = followRun(name, load);
  };
  load();
  return () => { ended = true; if (source) source.close(); frame.src = "about:blank"; };
}

function openTrace(name) {
  const frame = $("#run-report");
  $("#run-title").textContent = "System calls of Streamlit";
  $("#run-head").replaceChildren(make("p", { className: "muted" }, make("code", {}, name), " · ", make("a", { href: `/trace/${encodeURIComponent(name)}`, target: "_blank" }, "alone"), " · in a terminal: ", make("code", {}, "make trace")));
  $("#run-chart").replaceChildren();
  $("#run-live").hidden = true;
  frame.src = `/trace/${encodeURIComponent(name)}`;
  frame.hidden = false;
  return () => { frame.src = "about:blank"; };
}

function followRun(name, ended) {
  const source = new EventSource(`/api/runs/${encodeURIComponent(name)}/events`);
  source.addEventListener("progress", (event) => {
    const found = JSON.parse(event.data);
    $("#run-bar").max = found.planned || Math.max(1, found.trials);
    $("#run-bar").value = found.trials;
    $("#run-left").textContent = `${found.trials}${found.planned ? ` of ${found.planned}` : ""} trials${found.left_s === null ? "" : found.left_s > 1 ? `, about ${lasts(found.left_s)} left` : ", which ends soon"}`;
    $("#run-lines").textContent = found.lines.join("\n");
    if (found.figure) $("#run-figure").replaceChildren(picture(found.figure));
    if (found.status !== "running") {
      source.close();
      setTimeout(ended, 1500); // its report is written meanwhile
    }
  });
  return source;
}

function picture(svg) { // as an image: whatever it contains, it runs no script
  return make("img", { src: URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })), alt: "The headline figure so far", onload: (event) => URL.revokeObjectURL(event.target.src) });
}

async function chartOf(name) {
  const answer = await fetch(`/runs/${encodeURIComponent(name)}/summary.json`);
  if (!answer.ok) return;
  const { cells } = await answer.json();
  const fine = (Array.isArray(cells) ? cells : []).filter((cell) => cell && Number.isFinite(cell.concurrency) && Number.isFinite(cell.median_ms));
  const several = new Set(fine.map((cell) => `${cell.cpus}/${cell.variant}`)).size > 1;
  const groups = new Map();
  for (const cell of fine) {
    const key = `${cell.model}${several ? `, ${cell.variant || `${cell.cpus} CPU`}` : ""}`;
    groups.set(key, [...(groups.get(key) || []), cell]);
  }
  const figures = { "Median, ms": "median_ms", "p95, ms": "p95_ms", "p99, ms": "p99_ms", "Requests a second": "steady_rps" };
  if (groups.size < 2) return;
  const choose = make("select", {}, ...Object.keys(figures).map((text) => make("option", {}, text)));
  const place = make("div");
  const draw = () => chart(place, [...groups].map(([key, list]) => ({
    name: key, colour: `var(${COLOURS[String(key)[0]] || "--accent"})`,
    points: list.filter((cell) => Number.isFinite(cell[figures[choose.value]])).map((cell) => [cell.concurrency, cell[figures[choose.value]]]),
    theory: figures[choose.value] === "median_ms" ? list.filter((cell) => Number.isFinite(cell.expected_ms)).map((cell) => [cell.concurrency, cell.expected_ms]) : [],
  })), { x: "users", y: choose.value, log: true });
  choose.addEventListener("change", draw);
  $("#run-chart").replaceChildren(make("details", {}, make("summary", {}, "Explore the figures: hover for values, click a name to hide it"), make("p", {}, make("label", {}, "Figure ", choose)), place));
  draw();
}

// ---------------------------------------------------------------- charts

function chart(place, series, { x, y, log = false, dots = true }) {
  const hidden = chart.hidden.get(place) || new Set();
  const isLog = chart.log.get(place) ?? log;
  chart.hidden.set(place, hidden);
  const again = () => chart(place, series, { x, y, log, dots });
  const seen = series.filter((one) => !hidden.has(one.name));
  const all = seen.flatMap((one) => [...one.points, ...(one.theory || []), ...(one.marks || [])]).filter(([, value]) => Number.isFinite(value) && (!isLog || value > 0));
  const width = 560, height = 300, left = 58, bottom = 40, right = 12, top = 14;
  const xs = all.map(([value]) => value), ys = all.map(([, value]) => value);
  const [x0, x1] = [Math.min(0, ...xs), Math.max(1e-9, ...xs)];
  const [y0, y1] = isLog ? [Math.min(1e9, ...ys) * 0.8, Math.max(1e-9, ...ys) * 1.2] : [0, Math.max(1e-9, ...ys) * 1.06];
  const px = (value) => left + (value - x0) / (x1 - x0 || 1) * (width - left - right);
  const py = (value) => height - bottom - (isLog ? (Math.log(value / y0)) / Math.log(y1 / y0 || 2) : value / y1) * (height - bottom - top);
  const ns = "http://www.w3.org/2000/svg";
  const node = (name, attributes, text) => {
    const found = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
    if (text !== undefined) found.textContent = text;
    return found;
  };
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${y} over ${x}` });
  const ticks = (low, high) => {
    if (isLog) return [1, 2, 5].flatMap((step) => Array.from({ length: 13 }, (_, power) => step * 10 ** (power - 4))).filter((value) => value >= low && value <= high).sort((one, other) => one - other);
    const step = [1, 2, 5, 10].map((each) => each * 10 ** Math.floor(Math.log10(high / 4))).find((each) => high / each <= 6) || high;
    return Array.from({ length: Math.floor(high / step) + 1 }, (_, place_) => place_ * step);
  };
  const shown = ticks(y0, y1);
  for (const tick_ of shown.length > 8 ? shown.filter((value) => /^1/.test(value.toExponential())) : shown) {
    svg.append(node("line", { class: "grid", x1: left, x2: width - right, y1: py(tick_), y2: py(tick_) }), node("text", { x: left - 8, y: py(tick_) + 4, "text-anchor": "end" }, number(tick_)));
  }
  const span = x1 <= 1 ? 0.2 : [1, 2, 5, 10, 20, 50, 100, 200].find((each) => x1 / each <= 8) || x1;
  for (let value = 0; value <= x1 + 1e-9; value += span) svg.append(node("text", { x: px(value), y: height - bottom + 18, "text-anchor": "middle" }, x1 <= 1 ? `${Math.round(value * 100)} %` : number(value)));
  svg.append(node("text", { x: width - right, y: height - 4, "text-anchor": "end" }, x), node("text", { x: 0, y: 10 }, y));
  const path = (points) => points.filter(([, value]) => Number.isFinite(value) && (!isLog || value > 0)).map(([one, two], at) => `${at ? "L" : "M"}${px(one).toFixed(1)} ${py(two).toFixed(1)}`).join("");
  for (const one of seen) {
    svg.append(node("path", { d: path(one.points), fill: "none", style: `stroke:${one.colour}`, "stroke-width": 2.5 }));
    if (one.theory && one.theory.length) svg.append(node("path", { d: path(one.theory), fill: "none", style: `stroke:${one.colour}`, "stroke-width": 1.5, "stroke-dasharray": "3 4" }));
    for (const [vx, vy] of [...(dots ? one.points : []), ...(one.marks || [])]) svg.append(node("circle", { cx: px(vx), cy: py(vy), r: 4.5, style: `fill:${one.colour}` }));
  }
  const tip = node("text", { class: "tip", "text-anchor": "middle" });
  const ring = node("circle", { r: 7, fill: "none", style: "stroke:var(--ink)", "stroke-width": 2, visibility: "hidden" });
  svg.append(ring, tip);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), mx = (event.clientX - box.left) / box.width * width, my = (event.clientY - box.top) / box.height * height;
    let best = null;
    for (const one of seen) for (const [vx, vy] of [...one.points, ...(one.marks || [])]) {
      const far = Math.hypot(px(vx) - mx, py(vy) - my);
      if (Number.isFinite(far) && (!best || far < best.far)) best = { far, one, vx, vy };
    }
    if (!best || best.far > 60) { tip.textContent = ""; ring.setAttribute("visibility", "hidden"); return; }
    ring.setAttribute("visibility", "visible");
    ring.setAttribute("cx", px(best.vx));
    ring.setAttribute("cy", py(best.vy));
    tip.textContent = `${best.one.name}: ${number(best.vy)} at ${x1 <= 1 ? `${Math.round(best.vx * 100)} %` : number(best.vx)}`;
    tip.setAttribute("x", Math.max(left + 70, Math.min(width - 90, px(best.vx))));
    tip.setAttribute("y", Math.max(14, py(best.vy) - 13));
  });
  const key = (one) => make("button", { type: "button", "aria-pressed": String(!hidden.has(one.name)), onclick: () => { hidden.has(one.name) ? hidden.delete(one.name) : hidden.add(one.name); again(); } }, make("i", { style: `background:${one.colour}` }), one.name);
  const scale = make("button", { type: "button", "aria-pressed": String(isLog), onclick: () => { chart.log.set(place, !isLog); again(); } }, "logarithmic");
  place.className = "chart";
  place.replaceChildren(make("div", { className: "keys" }, ...series.map(key), scale), svg);
}
chart.hidden = new Map();
chart.log = new Map();

// ---------------------------------------------------------------- start an experiment

let experiments = [];
let planning = 0;

function openStart() {
  const source = new EventSource("/api/events");
  const take = (job) => showJob(job);
  source.addEventListener("state", (event) => take(JSON.parse(event.data).job));
  source.addEventListener("job", (event) => take(JSON.parse(event.data)));
  showLock();
  (async () => {
    if (!experiments.length) experiments = (await ask("/api/experiments") || []).filter((each) => !each.error);
    const select = $("#plan").elements.name;
    if (!select.options.length) {
      select.replaceChildren(...experiments.map((each) => make("option", { value: each.name }, each.title ? `${each.name}: ${each.title}` : each.name)));
      select.value = "bench";
    }
    fillPlan();
  })();
  return () => source.close();
}

function fillPlan() {
  const chosen = experiments.find((each) => each.name === $("#plan").elements.name.value);
  if (!chosen) return;
  $("#plan-question").textContent = chosen.question;
  $("#plan-quick").hidden = !chosen.quick;
  $("#plan").elements.quick.checked = false;
  $("#plan-settings").replaceChildren(...chosen.settings.map((each) => {
    const input = make("input", { type: "text", name: each.variable, value: each.value, autocomplete: "off", spellcheck: false });
    input.dataset.usual = each.value;
    return make("label", {}, each.variable, input, make("small", {}, `${each.help}${each.bounds ? ` (${each.bounds})` : ""}`));
  }));
  planIt();
}

function wanted() {
  const form = $("#plan"), variables = {};
  for (const input of document.querySelectorAll("#plan-settings input")) if (input.value.trim() !== input.dataset.usual) variables[input.name] = input.value.trim();
  return { name: form.elements.name.value, variables, quick: form.elements.quick.checked };
}

async function planIt() {
  const turn = ++planning, answer = await ask("/api/plan", wanted());
  if (turn !== planning || !answer) return;
  complain(answer.error || "");
  const found = answer.error ? null : answer;
  $("#plan button[type=submit]").disabled = !found || jobRuns;
  $("#plan-line").textContent = found ? found.line : "";
  $("#plan-takes").textContent = !found ? "" : found.expected_s === null ? "How long it takes is not known beforehand." : `${found.trials ? `${found.trials} trials, a` : "A"}bout ${lasts(found.expected_s)} of load, and the time to start servers. The same in a terminal:`;
}

let jobRuns = false;
async function showJob(job) {
  jobRuns = Boolean(job && job.running);
  $("#job").hidden = !job;
  $("#job-stop").disabled = !(job && job.running);
  $("#plan button[type=submit]").disabled = Boolean(job && job.running);
  if (!job) return;
  $("#job-title").textContent = job.running ? `Runs: ${job.line}` : job.status === 0 ? `Done: ${job.line}` : `Ended with status ${job.status}: ${job.line}`;
  $("#job-output").textContent = job.output;
  $("#job-output").scrollTop = 1e6;
  const runs = await (await fetch("/api/runs")).json();
  const own = runs.find((run) => new Date(run.resumed || run.started).getTime() / 1000 >= job.begun - 2);
  $("#job-run").replaceChildren(...(own ? [make("a", { href: `#run/${encodeURIComponent(own.name)}` }, job.running ? "Watch it while it is measured" : "Open it")] : []));
}

function setUpStart() {
  const form = $("#plan");
  form.elements.name.addEventListener("change", fillPlan);
  form.addEventListener("input", (event) => { if (event.target !== form.elements.name) { clearTimeout(form.later); form.later = setTimeout(planIt, 300); } });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const job = await ask("/api/start", wanted());
    if (job) showJob(job);
  });
  $("#job-stop").addEventListener("click", () => ask("/api/stop", {}));
  $("#compare").addEventListener("click", async () => { location.hash = addressOf(await sidesOf(ticked)); });
}

// ---------------------------------------------------------------- what if

function openWhatIf() {
  answerWhatIf();
}

let asked = 0;
async function answerWhatIf() {
  const form = $("#questions"), given = {};
  for (const input of form.querySelectorAll("input")) {
    given[input.name] = Number(input.value);
    $("output", input.parentElement).textContent = input.name === "utilisation" ? `${Math.round(input.value * 100)} %` : input.value;
  }
  const turn = ++asked, found = await ask("/api/what-if", given);
  if (!found || turn !== asked) return;
  const { closed, open } = found, at = open.utilisation.indexOf(given.utilisation);
  $("#what-if-said").textContent = `${given.users} users and ${given.workers} workers: each response takes ${seconds(closed.here.response_s)}, and the server answers ${rate(closed.here.rps)}. At ${Math.round(given.utilisation * 100)} % utilisation, ${rate(open.rate_rps)} arrive, and a response takes ${seconds(open.mdc_s[at])} with constant and ${seconds(open.mmc_s[at])} with random service.${found.points.length ? ` Dots: medians of ${found.points[0].run}.` : ""}`;
  const models = [...new Set(found.points.map((each) => each.model))];
  chart($("#closed-chart"), [
    { name: "theory", colour: "var(--ink)", points: closed.users.map((users, at) => [users, closed.response_s[at] * 1000]), marks: [[given.users, closed.here.response_s * 1000]] },
    ...models.map((model) => ({ name: model, colour: `var(${COLOURS[model] || "--accent"})`, points: [], marks: found.points.filter((each) => each.model === model).map((each) => [each.users, each.ms]) })),
  ], { x: "users", y: "ms", dots: false });
  chart($("#open-chart"), [
    { name: "M/M/c: random service", colour: "var(--b)", points: open.utilisation.map((share, at) => [share, open.mmc_s[at] * 1000]), marks: [[given.utilisation, open.mmc_s[at] * 1000]] },
    { name: "M/D/c: constant service", colour: "var(--a)", points: open.utilisation.map((share, at) => [share, open.mdc_s[at] * 1000]), marks: [[given.utilisation, open.mdc_s[at] * 1000]] },
  ], { x: "utilisation", y: "ms", dots: false });
}

function setUpWhatIf() {
  let later = 0;
  $("#questions").addEventListener("input", () => { clearTimeout(later); later = setTimeout(answerWhatIf, 120); });
}

// ---------------------------------------------------------------- the beginning

window.addEventListener("hashchange", show);
(async () => {
  const state = await showLock();
  if (state) setUpLive(state);
  setUpStart();
  setUpWhatIf();
  setUpLearn();
  show();
  setInterval(() => { if (!document.hidden && $("#live").hidden) showLock(); }, 5000);
})();
