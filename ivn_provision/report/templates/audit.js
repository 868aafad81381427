"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const form = by("filters"), result = by("result"), picture = by("picture");
  const cells = new Map();
  const links = [...document.querySelectorAll("#picture a")];
  for (const link of links) cells.set(link.getAttribute("href").slice(1), link);

  const lines = (row, name, kind) => [...row.querySelectorAll(`.${name}`)].flatMap((each) => each.textContent.split("\n").map((text) => `${kind}:${text}`));
  const read = (row) => ({
    row,
    state: row.className.match(/[a-z]+$/)[0],
    details: row.querySelector("details"),
    findings: row.querySelectorAll(".finding"),
    name: row.querySelector(".name").textContent,
    places: new Set([...lines(row, "g", "group"), ...lines(row, "n", "network"), ...lines(row, "l", "label")]),
    text: row.textContent.toLowerCase().replace(/\s+/g, " "),
  });
  const rows = document.querySelectorAll("#sites ~ .state .site");
  let known = null, wait = 0;
  const all = () => known || (known = [...rows].map(read));
  const sections = [...document.querySelectorAll(".state")].map((section) => ({
    section, total: section.querySelectorAll(".site").length, count: section.querySelector("h3 .soft"),
  }));
  const number = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

  const chosen = (name) => [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value);
  const asked = () => ({
    state: chosen("state"), kind: chosen("kind"), q: by("q").value.trim().toLowerCase(),
    where: by("where").value, age: by("age").value, waived: by("waived").value,
  });

  function isOfAge(finding, age) {
    if (!age) return true;
    const days = finding.dataset.days;
    return days !== undefined && (age === "-1" ? Number(days) < 1 : Number(days) >= Number(age));
  }
  const fits = (finding, want) => (!want.kind.length || want.kind.includes(finding.dataset.kind))
    && (!want.waived || finding.dataset.waived === want.waived) && isOfAge(finding, want.age);
  const isPlace = (site, want) => (!want.state.length || want.state.includes(site.state))
    && (!want.where || site.places.has(want.where)) && want.q.split(/\s+/).every((word) => site.text.includes(word));

  function show() {
    const want = asked(), narrow = want.kind.length || want.age || want.waived;
    let shown = 0, findings = 0;
    for (const site of all()) {
      let fit = 0;
      for (const finding of site.findings) fit += !(finding.hidden = !fits(finding, want));
      const is = (!narrow || fit > 0) && isPlace(site, want);
      if (site.row.hidden === is) {
        site.row.hidden = !is;
        cells.get(site.row.id)?.classList.toggle("off", !is);
      }
      shown += is;
      findings += is ? fit : 0;
    }
    for (const { section, total, count } of sections) {
      const left = total - section.querySelectorAll(".site[hidden]").length;
      section.hidden = !left;
      count.textContent = left === total ? total.toLocaleString("en") : `${left.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    }
    document.body.classList.toggle("filtered", shown < rows.length);
    result.textContent = `${shown === rows.length ? "" : `${shown.toLocaleString("en")} of `}${number(rows.length, "site")}, ${number(findings, "finding")}.`;
    return want;
  }

  function address(want, site) {
    const parts = new URLSearchParams();
    for (const [name, value] of Object.entries(want)) if (value.length) parts.set(name, String(value));
    if (site) parts.set("site", site.name);
    const hash = `#${parts}`;
    try { history.replaceState(null, "", hash); } catch { location.replace(hash); }
  }

  function take(parts) {
    form.reset();
    for (const name of ["state", "kind"]) {
      const values = (parts.get(name) || "").split(",");
      for (const box of form.querySelectorAll(`[name=${name}]`)) box.checked = values.includes(box.value);
    }
    for (const name of ["q", "where", "age", "waived"]) by(name).value = parts.get(name) || "";
    for (const name of ["where", "age", "waived"]) if (by(name).selectedIndex < 0) by(name).value = "";
    clearTimeout(wait); // the reset is no choice of a person's
  }

  function open(site) {
    if (site.row.hidden) { form.reset(); clearTimeout(wait); show(); }
    if (site.details) site.details.open = true;
    const target = site.row.querySelector("summary") || site.row;
    if (target === site.row) target.tabIndex = -1;
    for (const each of document.querySelectorAll(".site.here")) each.classList.remove("here");
    site.row.classList.add("here");
    target.focus({ preventScroll: true });
    const see = () => site.row.scrollIntoView({ block: "start" });
    see();
    requestAnimationFrame(() => requestAnimationFrame(see)); // rows that were never drawn have only now their height
    address(asked(), site);
  }

  function follow() {
    const hash = location.hash.slice(1);
    const direct = /^s\d+$/.test(hash) && all()[Number(hash.slice(1))];
    if (direct) return open(direct);
    if (hash && !hash.includes("=")) return;
    const parts = new URLSearchParams(hash);
    take(parts);
    if (hash || known) show();
    const site = parts.get("site") && all().find((each) => each.name === parts.get("site"));
    if (site) open(site);
    else if (hash) by("sites").scrollIntoView();
  }

  function walk(event) {
    const at = links.indexOf(event.target.closest("a"));
    const columns = Number(event.target.closest("svg")?.dataset.columns);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = links[Math.min(Math.max(to, 0), links.length - 1)];
    links[at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  const changed = () => { clearTimeout(wait); wait = setTimeout(() => address(show()), 80); };
  for (const kind of ["input", "change", "reset"]) form.addEventListener(kind, changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  by("open").addEventListener("click", () => { for (const details of closed()) details.open = true; });
  by("close").addEventListener("click", () => { for (const details of document.querySelectorAll(".site details[open]")) details.open = false; });
  document.addEventListener("click", (event) => {
    const id = event.target.closest("a[href^='#s']")?.getAttribute("href").slice(2);
    if (!/^\d+$/.test(id || "") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(all()[Number(id)]);
  });
  picture?.addEventListener("keydown", walk);
  picture?.querySelector("a")?.setAttribute("tabindex", "0");
  const closed = () => [...document.querySelectorAll(".site:not([hidden]) > details:not([open])")];
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = closed();
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
  window.addEventListener("hashchange", follow);
  form.hidden = false;
  document.body.classList.add("lively");
  if (location.hash) follow();
})();
