"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("timeline");
  const tip = document.getElementById("tip");
  const pen = canvas.getContext("2d");
  const inSeconds = data.unit === "s";
  const events = data.clicks.length ? data.clicks : data.requests;
  const ROW = 26, TOP = 44, GROUP = 24, LEAST = inSeconds ? 0.0005 : 4;
  const whole = { start: inSeconds ? 0 : 1, end: Math.max(data.end, inSeconds ? 0.001 : 2) };
  const pad = (whole.end - whole.start) * 0.01;
  const limits = { start: whole.start - pad, end: whole.end + pad };
  let view = data.focus ? { start: data.focus[0], end: data.focus[1] } : { ...limits };
  let ink = {};
  let chosen = null;
  let nextClick = 0;
  let printing = false;

  const details = events.flatMap((event) => event.lines);
  const pins = data.steps.flatMap((step) => step.lines.map((line) => ({ ...line, number: step.number })))
    .concat(events.flatMap((event) => event.lines.filter((line) => line.step).map((line) => ({ ...line, number: 5 }))))
    .filter((pin) => pin.at !== null && pin.lane !== null);
  const wakes = data.marks.filter((mark) => mark[1] === "wake" && data.lanes[mark[0]].kind === "thread");

  // On paper the canvas is scaled to the sheet, so it is drawn as wide as an A4 sheet has room.
  const PAPER = 718;
  const paneWidth = () => (printing ? PAPER : canvas.clientWidth);
  const labelWidth = () => (paneWidth() < 700 ? 128 : 250);
  // Which lanes are drawn: all that are not folded, or what the find box matches; row by lane.
  const ON_PAPER = 18;
  let rows = [], row = new Map(), unfolded = false, wanted = "";
  const drawn = (lane) => row.has(lane);
  const firstFd = () => rows.findIndex((lane) => data.lanes[lane].kind === "fd");
  const rowTop = (index) => TOP + GROUP + index * ROW + (firstFd() >= 0 && index >= firstFd() ? GROUP : 0);
  const laneTop = (lane) => rowTop(row.get(lane) ?? 0);
  const height = () => rowTop(Math.max(rows.length - 1, 0)) + ROW + 10;
  const title = (lane) => `${lane.kind === "fd" ? `fd ${lane.number}` : `thread ${lane.number}`} ${lane.name} ${lane.process === null ? "" : `process ${lane.process}`}`;

  function choose() {
    const all = data.lanes.map((_, index) => index);
    const matching = wanted ? all.filter((index) => title(data.lanes[index]).toLowerCase().includes(wanted)) : [];
    const usual = all.filter((index) => unfolded || !data.lanes[index].folded);
    rows = matching.length ? matching : usual;
    if (printing) rows = rows.slice(0, ON_PAPER);
    row = new Map(rows.map((lane, index) => [lane, index]));
    return matching.length;
  }
  const x = (at) => labelWidth() + ((at - view.start) / (view.end - view.start)) * (paneWidth() - labelWidth() - 14);
  const timeAt = (px) => view.start + ((px - labelWidth()) / (paneWidth() - labelWidth() - 14)) * (view.end - view.start);

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["paper", "panel", "ink", "muted", "line", "wait", "sleep", "lock", "band", "wake", "read", "write", "accept", "register", "listen", "clone", "open", "other"];
    ink = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function duration(value) {
    if (!inSeconds) return `line ${Math.round(value)}`;
    const span = view.end - view.start;
    const digits = span > 20 ? 0 : span > 2 ? 1 : span > 0.2 ? 2 : span > 0.02 ? 3 : 4;
    return `${value.toFixed(digits)} s`;
  }

  function step(span, wanted) {
    const rough = span / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const every = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
    return inSeconds ? every : Math.max(1, every);
  }

  function resize() {
    const ratio = printing ? 2 : window.devicePixelRatio || 1;
    canvas.style.height = `${height()}px`;
    canvas.width = Math.round(paneWidth() * ratio);
    canvas.height = Math.round(height() * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw();
  }

  function draw() {
    const width = paneWidth();
    pen.clearRect(0, 0, width, height());
    pen.fillStyle = ink.paper;
    pen.fillRect(0, 0, width, height());
    pen.save();
    pen.beginPath();
    pen.rect(labelWidth(), 0, width - labelWidth(), height());
    pen.clip();
    drawLanes(width);
    drawClicks();
    data.bars.forEach(drawBar);
    drawMarks();
    drawDetails();
    drawPins();
    drawChosen();
    pen.restore();
    drawAxis(width);
    drawLabels();
    canvas.dataset.start = view.start;
    canvas.dataset.end = view.end;
    document.querySelector(".range").textContent = `${duration(Math.max(view.start, whole.start))} to ${duration(Math.min(view.end, whole.end))}`;
  }

  function drawLanes(width) {
    rows.forEach((_, index) => {
      pen.fillStyle = index % 2 ? ink.paper : ink.panel;
      pen.fillRect(0, rowTop(index), width, ROW);
    });
  }

  function drawClicks() {
    pen.fillStyle = ink.band;
    pen.globalAlpha = 0.75;
    for (const click of events) {
      const from = x(click.wake_at ?? click.lines[0]?.at ?? click.at);
      const to = x(click.at ?? click.wake_at);
      pen.fillRect(Math.min(from, to) - 2, TOP, Math.max(Math.abs(to - from), 3) + 4, height() - TOP);
    }
    pen.globalAlpha = 1;
  }

  function drawBar([lane, kind, start, end]) {
    if (end < view.start || start > view.end || !drawn(lane)) return;
    pen.fillStyle = ink[kind] || ink.wait;
    pen.fillRect(x(start), laneTop(lane) + 4, Math.max(x(end) - x(start), 1), ROW - 8);
  }

  function drawMarks() {
    const seen = new Set();
    for (const mark of data.marks) {
      const [lane, kind, at] = mark;
      if (kind === "look" || !drawn(lane) || at < view.start || at > view.end) continue;
      const place = Math.round(x(at) * 2) / 2;
      const key = `${lane} ${kind} ${place}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const loud = kind === "wake";
      pen.fillStyle = ink[kind] || ink.other;
      pen.globalAlpha = loud ? 1 : kind === "other" ? 0.35 : kind === "open" ? 0.45 : 0.75;
      if (loud) pen.fillRect(place - 1, laneTop(lane) + 2, 2.5, ROW - 4);
      else pen.fillRect(place - 0.5, laneTop(lane) + 9, 1.5, ROW - 16);
    }
    pen.globalAlpha = 1;
  }

  function drawDetails() {
    if (inSeconds && view.end - view.start > 1) return;
    if (!inSeconds && view.end - view.start > 400) return;
    for (const line of details) {
      if (line.at === null || line.lane === null || !drawn(line.lane) || line.at < view.start || line.at > view.end) continue;
      pen.fillStyle = ink.ink;
      pen.beginPath();
      pen.arc(x(line.at), laneTop(line.lane) + ROW / 2, line.step ? 4 : 2, 0, 7);
      pen.fill();
    }
  }

  // Pins that are too close to distinguish share one label, "1 · 2", so that no pin hides another.
  function pinGroups() {
    const seen = pins.filter((pin) => drawn(pin.lane) && pin.at >= view.start && pin.at <= view.end).sort((one, other) => one.at - other.at);
    const groups = [];
    for (const pin of seen) {
      const place = x(pin.at);
      const group = groups[groups.length - 1];
      if (group && place - group.place < 26) { group.numbers.add(pin.number); group.last = place; } else groups.push({ place, last: place, lane: pin.lane, numbers: new Set([pin.number]) });
    }
    return groups;
  }

  function drawPins() {
    pen.font = "700 12px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const { place, last, lane, numbers } of pinGroups()) {
      const label = [...numbers].sort().join(" · ");
      const half = Math.max(9, pen.measureText(label).width / 2 + 5, (last - place) / 2);
      const middle = (place + last) / 2;
      pen.strokeStyle = ink.ink;
      pen.globalAlpha = 0.4;
      pen.beginPath();
      pen.moveTo(place, 36);
      pen.lineTo(place, laneTop(lane) + ROW / 2);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.fillStyle = ink.ink;
      pen.beginPath();
      pen.roundRect(middle - half, 25, 2 * half, 18, 9);
      pen.fill();
      pen.fillStyle = ink.paper;
      pen.fillText(label, middle, 38.5);
    }
  }

  function drawChosen() {
    if (!chosen) return;
    pen.strokeStyle = ink.wake;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x(chosen.at), TOP);
    pen.lineTo(x(chosen.at), height());
    pen.stroke();
    pen.lineWidth = 1;
  }

  function drawAxis(width) {
    const span = view.end - view.start;
    const every = step(span, Math.max(3, (width - labelWidth()) / 110));
    pen.font = "13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.strokeStyle = ink.line;
    for (let at = Math.ceil(Math.max(view.start, whole.start) / every) * every; at <= Math.min(view.end, whole.end); at += every) {
      pen.fillStyle = ink.muted;
      pen.fillText(inSeconds ? `${Number(at.toPrecision(9))} s` : `${Math.round(at)}`, Math.min(x(at), width - 24), 16);
      pen.beginPath();
      pen.moveTo(x(at), 20);
      pen.lineTo(x(at), height());
      pen.globalAlpha = 0.5;
      pen.stroke();
      pen.globalAlpha = 1;
    }
  }

  function drawLabels() {
    pen.fillStyle = ink.paper;
    pen.fillRect(0, 0, labelWidth() - 6, height());
    pen.textAlign = "left";
    pen.fillStyle = ink.muted;
    pen.font = "600 13px system-ui, sans-serif";
    pen.fillText(inSeconds ? "Time" : "Line of the log", 12, 16);
    if (rows.length && firstFd() !== 0) pen.fillText("Threads", 12, TOP + 17);
    if (firstFd() >= 0) pen.fillText("File descriptors", 12, rowTop(firstFd()) - 7);
    rows.forEach((number_, index) => {
      const lane = data.lanes[number_];
      const y = rowTop(index) + 17;
      pen.fillStyle = ink.ink;
      pen.font = "600 14px system-ui, sans-serif";
      const number = lane.kind === "fd" ? `fd ${lane.number}` : `${lane.number || "thread"}`;
      pen.fillText(number, 12, y);
      pen.fillStyle = ink.muted;
      pen.font = "13px system-ui, sans-serif";
      const of = lane.process === null || (lane.kind === "thread" && lane.process === lane.number) ? "" : `of ${lane.process}`;
      if (labelWidth() > 200) pen.fillText(fit([of, lane.name].filter(Boolean).join(": "), labelWidth() - 84), 76, y);
      else if (of) pen.fillText(fit(of, labelWidth() - 66), 60, y);
    });
  }

  function fit(text, room) {
    let shown = text;
    while (shown.length > 1 && pen.measureText(shown).width > room) shown = shown.slice(0, -1);
    return shown === text ? text : `${shown.trimEnd()}…`;
  }

  function show(start, end) {
    const span = Math.min(Math.max(end - start, LEAST), limits.end - limits.start);
    const from = Math.min(Math.max(start, limits.start), limits.end - span);
    view = { start: from, end: from + span };
    requestAnimationFrame(draw);
  }

  function zoom(factor, around = (view.start + view.end) / 2) {
    show(around - (around - view.start) * factor, around + (view.end - around) * factor);
  }

  function pan(part) {
    const by = (view.end - view.start) * part;
    show(view.start + by, view.end + by);
  }

  function goTo(at, span) {
    show(at - span / 2, at + span / 2);
  }

  function jumpToStep(number) {
    const places = pins.filter((pin) => pin.number === number).map((pin) => pin.at);
    if (!places.length) { show(limits.start, limits.end); return; }
    const from = Math.min(...places), to = Math.max(...places);
    const least = inSeconds ? 0.02 : 30;
    const span = Math.max((to - from) * 1.3, least);
    show((from + to - span) / 2, (from + to + span) / 2);
  }

  function showClick(number) {
    const click = events[number];
    if (!click) return;
    const first = click.wake_at ?? click.lines[0]?.at ?? click.at;
    const last = Math.max(...click.lines.filter((line) => line.step && line.at !== null).map((line) => line.at), click.at ?? first);
    const room = Math.max((last - first) * 0.25, inSeconds ? 0.002 : 4);
    show(first - room, last + room);
    nextClick = (number + 1) % events.length;
  }

  function nextWake(direction) {
    const here = chosen ? chosen.at : direction > 0 ? view.start : view.end;
    const ahead = wakes.filter((wake) => drawn(wake[0]) && (direction > 0 ? wake[2] > here : wake[2] < here));
    const wake = direction > 0 ? ahead[0] : ahead[ahead.length - 1];
    if (!wake) return;
    chosen = { at: wake[2] };
    if (wake[2] < view.start || wake[2] > view.end) goTo(wake[2], view.end - view.start);
    else requestAnimationFrame(draw);
    tell(describe(wake), x(wake[2]), laneTop(wake[0]) + ROW);
  }

  function describe([lane, kind, at, count, line, last]) {
    const names = { wake: "wake-up", register: "epoll_ctl", listen: "bind, listen", clone: "new thread", open: "open", exit: "the end of a thread", other: "other calls" };
    const many = count > 1 ? `${count} × ` : "";
    const lines = line === last ? `line ${line}` : `lines ${line} to ${last}`;
    const its = data.lanes[lane];
    const name = its.kind === "fd" ? `fd ${its.number}` : `thread ${its.number || ""}`.trim();
    const of = its.process === null ? "" : ` of process ${its.process}`;
    return `${many}${names[kind] || kind}, ${name}${of}${its.name ? ` (${its.name})` : ""}: ${inSeconds ? `${at.toFixed(6)} s, ` : ""}${lines}`;
  }

  function describeBar([lane, kind, start, end, count, line, last]) {
    const what = { wait: "waits", sleep: "sleeps", lock: "waits for a lock" }[kind];
    const long = inSeconds ? ` ${((end - start) * 1000).toFixed(1)} ms` : "";
    const calls = count > 1 ? `, ${count} calls in a row` : "";
    return `thread ${data.lanes[lane].number} ${what}${long}${calls}: ${line === last ? `line ${line}` : `lines ${line} to ${last}`}`;
  }

  function under(px, py) {
    const index = rows.findIndex((_, number) => py >= rowTop(number) && py < rowTop(number) + ROW);
    if (index < 0) return null;
    const lane = rows[index];
    if (px < labelWidth()) return title(data.lanes[lane]);
    const close = (at) => Math.abs(x(at) - px);
    if (view.end - view.start <= (inSeconds ? 1 : 400)) {
      const line = details.filter((each) => each.lane === lane && each.at !== null && close(each.at) < 5).sort((one, other) => close(one.at) - close(other.at))[0];
      if (line) return `line ${line.line}, ${line.name}: ${line.means}`;
    }
    const marks = data.marks.filter((mark) => mark[0] === lane && mark[1] !== "look" && close(mark[2]) < 5);
    marks.sort((one, other) => (other[1] === "wake") - (one[1] === "wake") || close(one[2]) - close(other[2]));
    if (marks.length) return describe(marks[0]);
    const at = timeAt(px);
    const bar = data.bars.find((each) => each[0] === lane && each[2] <= at && each[3] >= at);
    return bar ? describeBar(bar) : null;
  }

  function tell(text, px, py) {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = `${Math.max(4, Math.min(px + 12, canvas.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.min(py + 14, Math.max(0, height() - tip.offsetHeight - 4))}px`;
  }

  const actions = {
    in: () => zoom(0.5),
    out: () => zoom(2),
    all: () => show(limits.start, limits.end),
    click: () => showClick(nextClick),
    wake: () => nextWake(1),
    fold: () => {
      unfolded = !unfolded;
      document.querySelector("[data-do=fold]").setAttribute("aria-pressed", unfolded);
      choose();
      resize();
    },
  };

  // The find box: lanes by number, name and process; lines by any of their text.
  const box = document.getElementById("find"), found = document.getElementById("found");
  let place = -1;
  function find() {
    wanted = box.value.trim().toLowerCase();
    place = -1;
    const lanes = choose();
    let lines = 0;
    document.querySelectorAll(".lines li").forEach((line) => {
      const matches = !wanted || line.textContent.toLowerCase().includes(wanted);
      line.hidden = !matches;
      lines += matches && wanted ? 1 : 0;
    });
    document.querySelectorAll("details.click").forEach((each) => {
      each.hidden = Boolean(wanted) && !each.querySelector(".lines li:not([hidden])") && !each.querySelector("summary").textContent.toLowerCase().includes(wanted);
    });
    found.textContent = wanted ? `${lanes} ${lanes === 1 ? "lane" : "lanes"}, ${lines} ${lines === 1 ? "line" : "lines"}` : "";
    resize();
  }
  box.addEventListener("input", find);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { box.value = ""; find(); }
    if (event.key !== "Enter" || !wanted) return;
    const links = [...document.querySelectorAll(".lines li:not([hidden]) .at")].filter((link) => link.dataset.at !== "");
    if (!links.length) return;
    place = (place + 1) % links.length;
    chosen = { at: Number(links[place].dataset.at) };
    goTo(chosen.at, Math.min(view.end - view.start, inSeconds ? 0.05 : 60));
  });
  const keys = {
    "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.all, Home: actions.all, c: actions.click, n: actions.click,
    ".": actions.wake, ",": () => nextWake(-1), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
    ArrowUp: actions.in, ArrowDown: actions.out, Escape: () => { chosen = null; tell(""); draw(); },
  };

  document.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", actions[button.dataset.do]));
  document.querySelectorAll(".lines .at").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    if (link.dataset.at === "") return;
    chosen = { at: Number(link.dataset.at) };
    goTo(chosen.at, Math.min(view.end - view.start, inSeconds ? 0.05 : 60));
    canvas.scrollIntoView({ block: "nearest" });
  }));
  document.querySelectorAll("details.click").forEach((row) => row.addEventListener("toggle", () => {
    if (row.open && !printing) showClick(Number(row.dataset.click) - 1);
  }));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-6]$/.test(event.key)) jumpToStep(Number(event.key));
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    if (event.ctrlKey) zoom(Math.exp(event.deltaY / 200), timeAt(event.offsetX));
    else pan((event.deltaX || event.deltaY) / 800);
  }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { px: event.offsetX, ...view };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("moving");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) { tell(under(event.offsetX, event.offsetY), event.offsetX, event.offsetY); return; }
    const by = ((held.px - event.offsetX) / (canvas.clientWidth - labelWidth() - 14)) * (held.end - held.start);
    show(held.start + by, held.end + by);
  });
  const release = () => { held = null; canvas.classList.remove("moving"); };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => tell(""));
  canvas.addEventListener("dblclick", (event) => zoom(0.4, timeAt(event.offsetX)));

  let wereOpen = [];
  function print(on) {
    if (on === printing) return;
    printing = on;
    const folds = [...document.querySelectorAll("details.click")];
    if (on) {
      wereOpen = folds.filter((fold) => fold.open);
      folds.forEach((fold) => { fold.open = true; });
    } else folds.forEach((fold) => { fold.open = wereOpen.includes(fold); });
    // On paper the story comes first: a drawing that does not fit below the head would leave the first sheet empty.
    const figure = document.querySelector("figure.timeline"), story = document.querySelector("section");
    if (on) story.after(figure); else story.before(figure);
    choose();
    colours();
    resize();
  }
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours(); draw(); });
  new ResizeObserver(resize).observe(canvas.parentElement);
  choose();
  colours();
  resize();
  document.documentElement.dataset.ready = "yes";
})();
