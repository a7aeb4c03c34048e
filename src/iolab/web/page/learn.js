// The tab Learn: what make learn, make answer and make hint say. Handouts are HTML, which the lab renders from its own
// files; answers, lines of logs and everything else reach the page as text (textContent).
"use strict";

const SIGNS = { agrees: "✓", differs: "✗", "cannot tell": "?", open: "○" };
const NAMES = { en: "English", "zh-TW": "繁體中文" };
const PEEK_EVERY_MS = 4000;
let lesson = null; // the last answer of the lab
let lessonTurn = 0;
let looking = 0; // requests that have no answer yet
const drawn = new Map(); // by the id of an element: what it shows; so a look by itself leaves a form that is being filled in

function usual() {
  try { return localStorage.getItem("language") || ""; } catch { return ""; }
}

function say(key, values = {}) {
  return (lesson && lesson.words[key] || "").replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

async function study(action, given = {}) {
  const turn = ++lessonTurn;
  looking += 1;
  if (action === "look") $("#learn-status").textContent = say("looks") || "…";
  const found = await ask(`/api/learn/${action}`, { language: usual(), ...given });
  looking -= 1;
  if (turn !== lessonTurn) return false;
  $("#learn-status").textContent = "";
  if (found) {
    lesson = found;
    showLesson();
  }
  return Boolean(found);
}

function openLearn(step) {
  const isOther = Boolean(lesson && lesson.step && step && lesson.step.id !== step);
  study("look", { step }).then((found) => {
    if (!found || !lesson.begun || $("#learn").hidden) return;
    if (!step) history.replaceState(null, "", `#learn/${lesson.step.id}`); // it stays when it is done, with its result
    if (isOther) { $("#learn-step h2").focus({ preventScroll: true }); $("#learn-step").scrollIntoView(); }
  });
  const timer = setInterval(peek, PEEK_EVERY_MS);
  return () => { clearInterval(timer); lessonTurn += 1; };
}

async function peek() { // only whether evidence has changed; and nothing while the page is not seen or the lab measures
  if (document.hidden || looking || !lesson) return;
  let mark = null;
  try {
    const answer = await fetch("/api/learn/mark");
    if (answer.ok) ({ mark } = await answer.json());
  } catch { /* what the student asks for next says so */ }
  if (mark && mark !== lesson.mark && !looking && !$("#learn").hidden) study("look", { step: lesson.begun ? lesson.step.id : "" });
}

function draw(id, shown, make_) {
  const key = JSON.stringify([lesson.language, shown]);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  $(`#${id}`).replaceChildren(...make_());
}

function showLesson() {
  $("#learn").lang = lesson.language;
  $("#learn-title").textContent = say("title");
  $("#learn-languages").setAttribute("aria-label", say("language"));
  draw("learn-languages", lesson.languages, () => lesson.languages.map((each) => {
    const button = make("button", { type: "button", lang: each, onclick: () => changeLanguage(each) }, NAMES[each] || each);
    button.setAttribute("aria-pressed", String(each === lesson.language));
    return button;
  }));
  for (const id of ["learn-points", "learn-course"]) $(`#${id}`).hidden = !lesson.begun;
  $("#learn-begin").hidden = lesson.begun;
  if (lesson.begun) showCourse(); else showBegin();
}

function changeLanguage(wanted) {
  try { localStorage.setItem("language", wanted); } catch { /* then it is that of the terminal after a reload */ }
  study("look", { language: wanted, step: lesson.begun ? lesson.step.id : "" }).then(() => $("#learn-languages [aria-pressed=true]").focus());
}

function showBegin() {
  $("#learn-about").textContent = say("about");
  $("#learn-begin label").textContent = say("student");
  $("#learn-begin button").textContent = say("begin");
}

function showCourse() {
  const { points, step } = lesson;
  $("#learn-points progress").max = points.most || 1;
  $("#learn-points progress").value = points.points;
  $("#learn-said").textContent = points.said;
  draw("learn-path", [lesson.steps, lesson.parts, lesson.next, step.id], path);
  const list = $("#learn-path"), rung = $("[aria-current]", list), seen = rung.offsetTop - list.scrollTop; // of a sticky list, which scrolls by itself
  if (seen < 0 || seen > list.clientHeight - 60) list.scrollTop = rung.offsetTop - list.clientHeight / 3;
  const line = lesson.steps.find((each) => each.id === step.id);
  const worth = line.points ? say(step.kind === "explain" ? "worth_text" : "worth", { points: line.points }) : "";
  $("#learn-step header p").textContent = [lesson.parts[line.part], say(`kind_${step.kind}`), worth].filter(Boolean).join(" · ");
  $("#learn-step h2").textContent = `${step.id} ${line.title}`;
  draw("learn-result", [step.id, line.verdict, step.said, step.shows, lesson.next, lesson.done], () => result(line));
  draw("learn-text", [step.id, step.introduction, step.html, step.stale], handout);
  draw("learn-answer", [step.id, step.asks, step.recorded, step.kind, asksForEvidence(step) && line.verdict], () => asksForEvidence(step) ? [lookAgain(line)] : [answerForm()]);
  draw("learn-hints", [step.id, step.hints, step.more_hints], hints);
  const at = lesson.steps.indexOf(line), before = lesson.steps[at - 1], after = lesson.steps[at + 1];
  $(".learn-steps").setAttribute("aria-label", say("neighbours"));
  $(".learn-steps").replaceChildren(
    before ? make("a", { href: `#learn/${before.id}` }, `← ${before.id} ${before.title}`) : make("span"),
    after ? make("a", { href: `#learn/${after.id}` }, `${after.id} ${after.title} →`) : make("span"));
}

function sign(verdict) {
  const found = make("span", { className: "sign" }, SIGNS[verdict] || "?");
  found.setAttribute("aria-hidden", "true");
  return found;
}

function path() {
  const { steps, step } = lesson, done = steps.filter((each) => each.verdict === "agrees").length;
  const lists = Object.entries(lesson.parts).map(([part, title]) => {
    const own = steps.filter((each) => String(each.part) === part), agree = own.filter((each) => each.verdict === "agrees").length;
    return make("div", {}, make("h3", {}, title, " ", make("span", { className: "muted" }, `${agree}/${own.length}`)), make("ol", {}, ...own.map((each) => {
      const link = make("a", { href: `#learn/${each.id}`, className: "rung" }, sign(each.verdict), make("span", { className: "name" }, `${each.id} ${each.title}`), " ", make("span", { className: "word" }, each.word));
      link.dataset.verdict = each.verdict;
      link.dataset.step = each.id;
      if (each.id === step.id) link.setAttribute("aria-current", "step");
      return make("li", {}, link);
    })));
  });
  const nav = make("nav", {}, ...lists);
  nav.setAttribute("aria-label", say("path"));
  return [make("summary", {}, say("path_of", { done, most: steps.length })), nav];
}

function result(line) {
  const { step } = lesson, box = make("div", { className: "result" });
  box.dataset.verdict = line.verdict;
  box.append(make("p", {}, sign(line.verdict), make("b", {}, `${line.word}: `), step.said));
  if (step.shows.length) box.append(make("pre", {}, step.shows.join("\n")));
  if (lesson.next === null) box.append(make("p", {}, lesson.done));
  else if (line.verdict === "agrees" && lesson.next !== step.id) box.append(make("a", { className: "main-button", href: `#learn/${lesson.next}` }, say("next", { step: lesson.next })));
  return [box];
}

function parsed(html) { // of files in labs/ alone, rendered without HTML of theirs; a parsed document runs no script
  const body = document.importNode(new DOMParser().parseFromString(html, "text/html").body, true);
  for (const each of body.querySelectorAll("[id]")) each.removeAttribute("id"); // those of this page are its own
  for (const link of body.querySelectorAll("a")) { link.target = "_blank"; link.rel = "noopener"; }
  for (const code of body.querySelectorAll("pre > code.language-sh")) block(code);
  return [...body.childNodes];
}

function block(code) {
  const text = code.textContent.trimEnd(), button = make("button", { type: "button" }, say("copy"));
  const about = code.dataset.about === "server" ? say("keeps_running") : text.startsWith("make answer") ? say("form_below") : "";
  const said = make("span", { className: "muted" }, about);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = say("copied");
    } catch { // the page has another address than localhost and no https
      getSelection().selectAllChildren(code);
      button.textContent = say("selected");
    }
    setTimeout(() => { button.textContent = say("copy"); }, 2500);
  });
  const frame = make("div", { className: about ? "block" : "block plain" });
  code.parentElement.replaceWith(frame);
  frame.append(make("div", { className: "bar" }, said, button), code.parentElement);
}

function handout() {
  const { step } = lesson, found = [];
  if (step.introduction) found.push(make("div", { className: "introduction" }, ...parsed(step.introduction)));
  if (step.stale) found.push(make("p", { className: "muted" }, step.stale));
  const text = make("div", {}, ...parsed(step.html));
  if (step.stale) text.lang = "en";
  return [...found, text];
}

function asksForEvidence(step) {
  return step.kind === "run" || step.kind === "build";
}

function lookAgain(line) {
  const button = make("button", { type: "button", className: line.verdict === "agrees" ? "" : "main-button" }, say("look"));
  button.addEventListener("click", () => study("look", { step: lesson.step.id }));
  return make("div", { className: "card" }, make("p", { className: "muted" }, say("looks_itself")), button);
}

function answerForm() {
  const { step } = lesson, before = step.recorded;
  if (before && step.kind === "predict") {
    return make("div", { className: "card" }, make("h3", {}, say("your_prediction")),
      make("dl", { className: "recorded" }, ...step.asks.map((each) => make("div", {}, make("dt", {}, each.prompt), make("dd", {}, String(before.values[each.name] ?? "–"))))),
      make("p", {}, before.text));
  }
  const form = make("form", { className: "card" }), fields = step.asks.map((each) => {
    const input = make("input", { type: "number", step: "any", name: each.name, required: true, autocomplete: "off", value: before ? String(before.values[each.name] ?? "") : "" });
    input.inputMode = "decimal";
    return make("label", {}, make("span", {}, each.prompt), input);
  });
  form.append(make("div", { className: "asks" }, ...fields));
  if (step.kind !== "observe") {
    const area = make("textarea", { name: "text", required: true, rows: step.kind === "explain" ? 8 : 3, maxLength: 12000, value: before ? before.text : "" });
    form.append(make("label", {}, make("span", {}, say(step.kind === "explain" ? "text" : "why")), area));
  }
  form.append(make("p", { className: "muted" }, say(step.kind === "predict" ? "first_counts" : "last_counts")), make("button", { type: "submit", className: "main-button" }, say("record")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(step.asks.map((each) => [each.name, form.elements[each.name].valueAsNumber]));
    const button = $("button", form);
    button.disabled = true;
    const recorded = await study("answer", { step: step.id, values, text: form.elements.text ? form.elements.text.value : "" });
    button.disabled = false;
    if (!recorded) return;
    $("#learn-result").scrollIntoView({ block: "nearest" });
    if (document.activeElement === document.body) ($("#learn-result a") || $("#learn-step h2")).focus(); // the form is gone
  });
  return form;
}

function hints() {
  const { step } = lesson, found = [];
  if (step.hints.length) found.push(make("h3", {}, say("hints")), make("ol", { className: "hints" }, ...step.hints.map((each) => make("li", {}, ...parsed(each)))));
  if (step.more_hints) {
    const button = make("button", { type: "button" }, say("hint", { left: step.more_hints }));
    button.addEventListener("click", async () => {
      if (await study("hint", { step: step.id })) ($("#learn-hints button") || $("#learn-hints li:last-child")).scrollIntoView({ block: "nearest" });
    });
    found.push(make("p", {}, button));
  }
  return found;
}

function setUpLearn() {
  $("#learn-begin").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!await study("begin", { student: $("#learn-student").value.trim() })) return;
    history.replaceState(null, "", `#learn/${lesson.step.id}`);
    $("#learn-step h2").focus();
  });
  const wide = matchMedia("(min-width: 900px)"), open = () => { $("#learn-path").open = wide.matches; };
  wide.addEventListener("change", open);
  open();
}
