"use strict";
const cards = [...document.querySelectorAll(".answer")];
const most = Number(document.body.dataset.most);
const exported = document.getElementById("marks");
const place = `iolab-marks ${location.pathname}`;
const marked = new Set(); // cards that were marked since the page was opened: what was stored before no longer counts
let current = -1;

// A script that asks for storage before Chromium's browser process knows the page gets storage that is lost with the
// page. That happens with file: URLs. An answer of the browser process, to any question, means that it knows the page.
// Chromium names this a race condition: content/browser/dom_storage/dom_storage_context_wrapper.cc, IsRequestValid.
async function known() {
  try {
    await navigator.locks.query();
  } catch {
    // Other browsers may have no locks, or none for files.
  }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(place) || "{}");
  } catch {
    return {};
  }
}

function key(card) {
  return `${card.dataset.student}\n${card.dataset.step}`;
}

function show(card) {
  const mark = card.dataset.mark;
  card.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each.value === mark)));
}

function write() {
  const done = cards.filter((card) => card.dataset.mark !== "");
  const lines = done.map((card) => `${card.dataset.student},${card.dataset.step},${card.dataset.mark}`);
  exported.value = ["id,step,mark", ...lines, ""].join("\n");
  document.getElementById("done").textContent = `${done.length} / ${cards.length}`;
  const link = document.getElementById("save");
  link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(exported.value)}`;
}

async function set(card, mark) {
  card.dataset.mark = mark;
  marked.add(card);
  show(card);
  write();
  await storage;
  try {
    localStorage.setItem(place, JSON.stringify({ ...kept(), [key(card)]: [card.dataset.before, mark] }));
  } catch {
    // Without storage, the marks are on the page and in the export alone.
  }
}

function go(number) {
  if (!cards.length) return;
  current = Math.max(0, Math.min(cards.length - 1, number));
  cards[current].focus();
  cards[current].scrollIntoView({ block: "center" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === exported) return;
  const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  if (event.key in steps) {
    event.preventDefault();
    go(current + steps[event.key]);
  } else if (/^\d$/.test(event.key) && Number(event.key) <= most && current >= 0) {
    set(cards[current], event.key);
    go(current + 1);
  } else if (event.key === "Backspace" && current >= 0) {
    event.preventDefault();
    set(cards[current], "");
  }
});

function restore() {
  const before = kept();
  for (const card of cards.filter((each) => !marked.has(each))) {
    // A mark of this browser counts, unless marks.csv has brought another one since it was set.
    const [base, mark] = before[key(card)] || ["", ""];
    if (base === card.dataset.before) card.dataset.mark = mark;
    show(card);
  }
  write();
}

cards.forEach((card, number) => {
  card.dataset.before = card.dataset.mark;
  card.addEventListener("focusin", () => { current = number; });
  card.querySelectorAll("button").forEach((each) => each.addEventListener("click", () => set(card, each.value)));
  show(card);
});
write();
const storage = known().then(restore);
