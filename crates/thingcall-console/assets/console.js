// Moments in the zone and the words of whoever looks.
function local(time) {
  const moment = new Date(time.dataset.ms ? Number(time.dataset.ms) : time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  time.title = moment.toISOString();
  time.textContent = moment.toLocaleString(document.documentElement.lang, { hour12: false }) + "." + String(moment.getMilliseconds()).padStart(3, "0");
}
document.querySelectorAll("time").forEach(local);

// Rows that come while the page is looked at. What comes is set as text, never as markup.
function field(cell) {
  const td = document.createElement("td");
  let at = td;
  const into = (name) => (at = at.appendChild(document.createElement(name)));
  const own = typeof cell.path === "string" && /^\/(?![\/\\])/.test(cell.path);
  if (cell.as === "link" && own) into("a").setAttribute("href", cell.path);
  if (cell.as === "link" || cell.as === "code") into("code");
  if (["good", "bad", "open"].includes(cell.as)) into("span").className = "outcome " + cell.as;
  if (cell.as === "time") into("time").dateTime = cell.text;
  if (cell.as === "millis") into("time").dataset.ms = cell.text;
  at.textContent = cell.text;
  if (at.tagName === "TIME") local(at);
  return td;
}

function follow(body) {
  const bar = body.closest(".live").querySelector(".bar");
  const status = bar.querySelector("[role=status]"), button = bar.querySelector("button"), pause = button.textContent;
  const most = Number(body.dataset.rowsMax), columns = body.closest("table").tHead.rows[0].cells.length;
  let waiting = [], passed = 0, paused = false, ended = false;
  const say = (word, more = "") => (status.textContent = status.dataset[word] + more);
  const remark = (rows) => {
    const row = document.createElement("tr"), td = row.appendChild(document.createElement("td"));
    td.colSpan = columns;
    td.className = "hint";
    td.textContent = status.dataset.missed + rows;
    return row;
  };
  const show = (row) => {
    if (paused) {
      waiting.push(row);
      if (waiting.length > most) passed += 1, waiting.shift();
      return say("paused", String(waiting.length + passed));
    }
    body.prepend(row);
    while (body.rows.length > most) body.lastElementChild.remove();
  };
  const source = new EventSource(body.dataset.live);
  const stop = (text) => {
    ended = true;
    source.close();
    say("ended", text);
    button.hidden = true;
  };
  source.addEventListener("open", () => paused || say("open"));
  source.addEventListener("row", (event) => {
    const row = document.createElement("tr");
    JSON.parse(event.data).forEach((cell) => row.append(field(cell)));
    show(row);
  });
  source.addEventListener("missed", (event) => show(remark(JSON.parse(event.data).rows)));
  source.addEventListener("end", (event) => stop(JSON.parse(event.data).text));
  source.addEventListener("error", async () => {
    if (ended) return;
    if (source.readyState !== EventSource.CLOSED) return paused || say("lost");
    // Refused: why, only a request of another kind reads.
    ended = true;
    const asking = new AbortController();
    try {
      const answer = await fetch(body.dataset.live, { signal: asking.signal, redirect: "manual" });
      stop(answer.ok || answer.status === 0 ? String(answer.status || "") : (await answer.text()).slice(0, 400));
    } catch {
      stop("");
    }
    asking.abort();
  });
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? button.dataset.resume : pause;
    button.setAttribute("aria-pressed", String(paused));
    if (paused) return say("paused", "0");
    say(source.readyState === EventSource.OPEN ? "open" : "lost");
    if (passed > 0) show(remark(passed));
    waiting.forEach(show);
    waiting = [], passed = 0;
  });
}
if ("EventSource" in window) document.querySelectorAll("tbody[data-live]").forEach(follow);

// A file becomes the text that is edited: chosen, or dropped onto it. A place of a problem is where the text is looked at.
for (const input of document.querySelectorAll("input[data-into]")) {
  const text = document.getElementById(input.dataset.into);
  const field = input.closest("[hidden]"), status = field.querySelector("[role=status]");
  const take = async (file) => {
    if (!file) return;
    text.value = await file.text();
    status.textContent = status.dataset.said + file.name;
  };
  field.hidden = false;
  input.addEventListener("change", () => take(input.files[0]));
  text.addEventListener("dragover", (event) => (event.preventDefault(), text.classList.add("over")));
  text.addEventListener("dragleave", () => text.classList.remove("over"));
  text.addEventListener("drop", (event) => {
    text.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  for (const link of document.querySelectorAll("a[data-line]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const lines = text.value.split("\n"), line = Number(link.dataset.line) - 1;
      const before = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
      const column = [...(lines[line] ?? "")].slice(0, Number(link.dataset.column) - 1).join("").length;
      text.focus();
      text.setSelectionRange(before + column, before + column + 1);
      text.scrollTop = (text.scrollHeight * line) / lines.length - text.clientHeight / 2;
    });
  }
}

// Code is copied with one press, where the browser lets a page do that.
for (const sample of navigator.clipboard ? document.querySelectorAll(".sample[data-copy]") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = sample.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(sample.querySelector("code[id]").textContent);
    button.textContent = sample.dataset.copied;
  });
  sample.querySelector("pre").before(button);
}
