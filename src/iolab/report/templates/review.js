"use strict";
const cards = [...document.querySelectorAll(".answer")];
const most = Number(document.body.dataset.most);
const exported = document.getElementById("marks");
const place = `iolab-marks ${location.pathname}`;
let current = -1;

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
  const marked = cards.filter((card) => card.dataset.mark !== "");
  const lines = marked.map((card) => `${card.dataset.student},${card.dataset.step},${card.dataset.mark}`);
  exported.value = ["id,step,mark", ...lines, ""].join("\n");
  document.getElementById("done").textContent = `${marked.length} / ${cards.length}`;
  const link = document.getElementById("save");
  link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(exported.value)}`;
}

function set(card, mark) {
  card.dataset.mark = mark;
  show(card);
  write();
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

const before = kept();
cards.forEach((card, number) => {
  // A mark of this browser counts, unless marks.csv has brought another one since it was set.
  const [base, mark] = before[key(card)] || ["", ""];
  card.dataset.before = card.dataset.mark;
  if (base === card.dataset.before) card.dataset.mark = mark;
  card.addEventListener("focusin", () => { current = number; });
  card.querySelectorAll("button").forEach((each) => each.addEventListener("click", () => set(card, each.value)));
  show(card);
});
write();
