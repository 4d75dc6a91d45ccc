/* The lead's page: is the queue kept up with, are the decisions right, who needs support. Numbers lead
   to the items behind them. */

const POLL_MS = 30000;
const KAPPA_MIN = 0.6;  /* below it, over enough pairs, reviewers read the rules differently */
const DOUBLES_MIN = 50;
const LIST_MAX = 200;
const OPEN = ["queued", "claimed", "asked"];

const seen = {stats: null, items: [], reviewer: "", closing: null, busy: false};

const percent = (value) => value === null || value === undefined ? DASH
    : value > 0 && value < 0.1 ? (100 * value).toFixed(1).replace(/\.0$/, "") + " %" : Math.round(100 * value) + " %";
const figure = (value) => value === null || value === undefined ? DASH : value.toFixed(1).replace(/\.0$/, "");

/* ---- numbers that lead somewhere ---- */

function link(words, filter) {
    const button = make("button", {type: "button", class: "number"}, String(words));

    button.addEventListener("click", () => list(filter));
    return button;
}

function list(filter) {
    const form = byId("filter");

    for (const name of ["kind", "state", "outcome"])
        form[name].value = filter[name] || "";
    form.overdue.checked = !!filter.overdue;
    who(filter.reviewer || "");
    lookAtItems();
    byId("list").scrollIntoView();
    byId("list-title").focus({preventScroll: true});
}

function who(reviewer) {
    seen.reviewer = reviewer;
    byId("who").hidden = !reviewer;
    byId("filter").reviewer.value = reviewer;
}

/* ---- the queue ---- */

function tile(name, value, note, kind) {
    return make("div", {class: "card tile " + (kind || "")}, make("dt", {}, name),
        make("dd", {}, value, make("small", {}, note || "")));
}

function tiles(s) {
    const behind = s.arrivals_per_hour > s.completions_per_hour;
    const missed = s.first_missed_deadline ? (Date.parse(s.first_missed_deadline) - Date.now()) / 1000 : null;

    byId("tiles").replaceChildren(
        tile("Open", link(s.open ?? DASH, {state: "open"})),
        tile("Overdue", link(s.overdue ?? DASH, {overdue: true}), "escalated, still open", s.overdue ? "bad" : ""),
        tile("The oldest waits for", s.open ? duration(s.oldest_age_s) : DASH),
        tile("Arrive, an hour", figure(s.arrivals_per_hour), "decided: " + figure(s.completions_per_hour),
            behind ? "warn" : ""),
        tile("Utilisation", percent(s.utilisation), count(s.reviewers_active ?? 0, "reviewer") + " at work",
            s.utilisation >= 1 ? "bad" : s.utilisation >= 0.8 ? "warn" : ""),
        tile("Expected wait", duration(s.expected_wait_s), "what waits, by what is decided"),
        tile("First missed deadline", missed === null ? "none" : missed > 0 ? "in " + duration(missed) : "now",
            missed === null ? "at this rate" : moment(s.first_missed_deadline), missed === null ? "" : "warn"),
        tile("Reviewers needed", String(s.reviewers_needed ?? DASH), "to keep the promise",
            s.reviewers_needed > (s.reviewers_active ?? 0) ? "warn" : ""));
}

function backlog(s) {
    document.querySelector("#backlog tbody").replaceChildren(...(s.backlog || []).map((b) => make("tr", {},
        make("th", {scope: "row"}, KINDS[b.kind] || spaced(b.kind)), ...["queued", "claimed", "asked"].map((state) =>
            make("td", {}, b[state] ? link(b[state], {kind: b.kind, state}) : "0")))));
}

function ages(s) {
    const all = s.ages || [], most = Math.max(1, ...all.map((a) => a.count));
    let from = 0;

    byId("ages").replaceChildren(...all.map((a) => {
        const words = a.up_to_s === null ? "over " + duration(from) : "to " + duration(a.up_to_s);

        from = a.up_to_s;
        return make("div", {class: "agebar"}, make("span", {}, words),
            make("svg", {viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true"},
                make("rect", {class: "track", width: 100, height: 12, rx: 2}),
                make("rect", {class: "span", width: 100 * a.count / most, height: 12, rx: 2})),
            make("span", {}, String(a.count)));
    }));
}

function hours(s) {
    const all = s.hours || [], most = Math.max(1, ...all.flatMap((h) => [h.arrived, h.completed]));
    const sum = (name) => all.reduce((total, h) => total + h[name], 0);
    const svg = make("svg", {viewBox: "0 0 480 120", preserveAspectRatio: "none", role: "img",
        "aria-label": "In the last " + count(all.length, "hour") + " " + sum("arrived") + " arrived and " +
            sum("completed") + " were decided"});

    svg.append(make("line", {x1: 0, x2: 480, y1: 119.5, y2: 119.5, stroke: "currentColor", "stroke-opacity": 0.3}));
    all.forEach((h, i) => {
        const x = i * 480 / all.length, width = 480 / all.length / 2 - 1.5;

        svg.append(make("rect", {class: "in", x: x + 1, width, y: 119 - 114 * h.arrived / most,
            height: 114 * h.arrived / most}));
        svg.append(make("rect", {class: "out", x: x + width + 2, width, y: 119 - 114 * h.completed / most,
            height: 114 * h.completed / most}));
    });
    byId("hours").replaceChildren(svg);
}

/* ---- right and wrong ---- */

function rate(title, note, r, filter) {
    const known = r && r.n > 0;
    const words = known ? r.k + " of " + r.n + "; between " + percent(r.low) + " and " + percent(r.high)
        : "nothing to go by yet";
    const bar = make("svg", {viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true"},
        make("rect", {class: "track", y: 4, width: 100, height: 6, rx: 2}));

    if (known)
        bar.append(make("rect", {class: "span", x: 100 * r.low, y: 4, width: 100 * (r.high - r.low), height: 6}),
            make("rect", {class: "point", x: Math.min(100 * r.rate, 99), y: 1, width: 1, height: 12}));
    return make("div", {class: "card rate"}, make("h3", {}, title),
        make("p", {class: "big"}, known ? link(percent(r.rate), filter) : DASH), bar,
        make("p", {}, words), make("p", {class: "soft"}, note));
}

function rates(s) {
    byId("rates").replaceChildren(
        rate("False alarms", "blind audit of blocks that should not have been", s.audit_block_wrong,
            {kind: "audit", state: "decided", outcome: "overturn"}),
        rate("Misses", "blind audit of what was let through and should not have been", s.audit_allow_wrong,
            {kind: "audit", state: "decided", outcome: "uphold"}),
        rate("Sure, and wrong", "of blocks with 95 % or more, by appeals and audits", s.confident_wrong,
            {state: "decided", outcome: "overturn"}),
        rate("Overturned appeals", "of those who appealed", s.overturned,
            {kind: "appeal", state: "decided", outcome: "overturn"}));
}

const interval = (r) => r && r.n ? [percent(r.rate), make("small", {}, r.k + " of " + r.n + ", " + percent(r.low) +
    " to " + percent(r.high))] : [DASH];

/* ---- breakers ---- */

function breakers(s) {
    const all = s.breakers || [];

    byId("no-breakers").hidden = all.length > 0;
    byId("breakers").hidden = !all.length;
    document.querySelector("#breakers tbody").replaceChildren(...all.map((b) => {
        const close = make("button", {type: "button", "aria-label": "Close " + b.slice}, "Close…");

        close.addEventListener("click", () => beginClose(b));
        return make("tr", {}, make("th", {scope: "row"}, b.slice), make("td", {}, spaced(b.state)),
            make("td", {}, ...interval(b.overturned)), make("td", {}, ago(b.opened_at)),
            make("td", {}, b.policy ? b.policy.id + " " + b.policy.version : DASH), make("td", {}, close));
    }));
}

function beginClose(b) {
    seen.closing = b;
    byId("close-slice").textContent = b.slice;
    byId("close-old").textContent = b.policy ? String(b.policy.version) : "the one that opened it";
    byId("close-version").min = b.policy ? b.policy.version + 1 : 1;
    byId("close-version").value = "";
    byId("close-note").value = "";
    byId("close-trouble").hidden = true;
    byId("close").showModal();
}

async function endClose() {
    const answer = await ask("POST", "/v1/breakers/close", {slice: seen.closing.slice,
        policy_version: Number(byId("close-version").value), note: byId("close-note").value.trim()});

    if (answer.error) {
        byId("close-trouble").hidden = false;
        byId("close-trouble").textContent = sentence(answer.error);
        return;
    }
    byId("close").close();
    tell("good", "Closed: " + seen.closing.slice + ".");
    look();
}

/* ---- people ---- */

function spark(buckets, fast) {
    const most = Math.max(1, ...buckets.map((b) => b.count)), width = 96 / Math.max(1, buckets.length);
    let from = 0;
    const words = buckets.map((b) => {
        const text = (b.up_to_s === null ? "over " + from : "to " + b.up_to_s) + " s: " + b.count;

        from = b.up_to_s;
        return text;
    });

    return make("svg", {class: "bars", viewBox: "0 0 96 26", role: "img", "aria-label": words.join(", ")},
        ...buckets.map((b, i) => make("rect", {class: fast && i === 0 ? "fast" : null, x: i * width, width: width - 2,
            y: 25 - 24 * b.count / most, height: 1 + 24 * b.count / most})));
}

function people(s) {
    const flag = (is, words) => is ? make("span", {class: "flag"}, words) : null;

    document.querySelector("#people tbody").replaceChildren(...(s.reviewers || []).map((r) => {
        const t = r.seconds || {};

        return make("tr", {}, make("th", {scope: "row"}, r.reviewer, make("br"), flag(r.identical_alarm, "same answers"),
            flag(r.fast_alarm, "very fast")),
            make("td", {}, link(r.decided, {reviewer: r.reviewer, state: "decided"})),
            make("td", {}, ...interval(r.let_go)), make("td", {}, ...interval(r.golden)),
            make("td", {}, [t.p10, t.p50, t.p90].map((v) => v === null || v === undefined ? DASH : v < 10 ? figure(v) : Math.round(v)).join(", ")),
            make("td", {}, spark(r.seconds_buckets || [], r.fast_alarm)), make("td", {}, String(r.identical_run ?? DASH)),
            make("td", {}, String(r.full_views_today ?? DASH)),
            make("td", {}, r.minutes_since_break === null || r.minutes_since_break === undefined ? DASH
                : r.minutes_since_break + " min"));
    }));
    const a = s.agreement || {};

    byId("kappa").textContent = a.kappa === null || a.kappa === undefined
        ? "Not enough was decided twice to say how well they agree."
        : "Agreement (Cohen's kappa) is " + a.kappa.toFixed(2) + " over " + count(a.doubles, "item") +
            " that two decided.";
    byId("skips").textContent = (s.skips || []).length ? "Skipped: " + s.skips.map((k) =>
        spaced(k.reason) + " " + k.count).join(", ") + "." : "";
}

/* ---- what needs somebody ---- */

function alarms(s) {
    const rows = [], a = s.agreement || {};
    const add = (kind, words) => rows.push(make("li", {class: "notice " + kind}, words));

    if (s.overdue)
        add("bad", count(s.overdue, "item is", "items are") + " overdue.");
    for (const b of s.breakers || [])
        add("bad", "Breaker open: " + b.slice + " is held instead of blocked.");
    if (s.utilisation >= 1)
        add("bad", "More arrives than is decided: the queue grows" + (s.reviewers_needed
            ? ", and " + count(s.reviewers_needed, "reviewer is", "reviewers are") + " needed." : "."));
    for (const r of s.reviewers || []) {
        if (r.identical_alarm)
            add("warn", r.reviewer + " gave the same answer " + r.identical_run + " times in a row.");
        if (r.fast_alarm)
            add("warn", r.reviewer + " decides faster than anybody can look.");
    }
    if (a.kappa !== null && a.kappa !== undefined && a.kappa < KAPPA_MIN && a.doubles >= DOUBLES_MIN)
        add("warn", "Reviewers agree less than they should: the rules may be read in two ways.");
    if (!rows.length)
        add("good", "Nothing at the moment.");
    byId("alarms").replaceChildren(...rows);
}

/* ---- items ---- */

function fits(item, form) {
    const state = form.state.value;

    return (!form.kind.value || item.kind === form.kind.value) &&
        (!state || (state === "open" ? OPEN.includes(item.state) : item.state === state)) &&
        (!form.outcome.value || item.outcome === form.outcome.value) &&
        (!form.overdue.checked || OPEN.includes(item.state) && Date.parse(item.due_first_review) < Date.now()) &&
        (!seen.reviewer || item.reviewer === seen.reviewer);
}

function items() {
    const form = byId("filter"), rows = seen.items.filter((item) => fits(item, form));

    document.querySelector("#items tbody").replaceChildren(...rows.map((item) => make("tr", {},
        make("th", {scope: "row"}, KINDS[item.kind] || spaced(item.kind), make("br"),
            item.escalated ? make("span", {class: "flag"}, "escalated") : null),
        make("td", {}, spaced(item.state)), make("td", {}, spaced(item.category)), make("td", {}, item.tenant || DASH),
        make("td", {}, item.queue || DASH), make("td", {}, OPEN.includes(item.state) ? due(item.due_first_review) : DASH),
        make("td", {}, item.created_at ? duration((Date.now() - Date.parse(item.created_at)) / 1000) : DASH),
        make("td", {}, item.reviewer || DASH), make("td", {}, item.outcome ? OUTCOMES[item.outcome] || item.outcome : DASH),
        make("td", {}, make("code", {}, item.decision_id || DASH)))));
    byId("items").hidden = !rows.length;
    byId("no-items").hidden = rows.length > 0;
    byId("no-items").textContent = "There is none like that.";
}

async function lookAtItems() {
    const form = byId("filter"), query = new URLSearchParams({limit: String(LIST_MAX)});

    for (const name of ["kind", "outcome"])
        if (form[name].value)
            query.set(name, form[name].value);
    if (form.state.value && form.state.value !== "open")
        query.set("state", form.state.value);
    if (form.overdue.checked)
        query.set("overdue", "1");
    if (seen.reviewer)
        query.set("reviewer", seen.reviewer);
    const answer = await ask("GET", "/v1/review/items?" + query);

    if (answer.error)
        tell("bad", sentence(answer.error));
    else
        seen.items = answer.data.data;
    items();
    say(count(document.querySelectorAll("#items tbody tr").length, "item") + " in the list.");
}

/* ---- looking ---- */

async function look() {
    if (seen.busy)
        return "";
    seen.busy = true;
    const answer = await ask("GET", "/v1/review/stats");
    seen.busy = false;
    if (answer.error) {
        if (answer.status !== 401 && answer.status !== 403)
            tell("bad", sentence(answer.error));
        return answer.status === 403 ? "This key does not have the scope lead." : sentence(answer.error);
    }
    const s = seen.stats = answer.data;

    for (const draw of [alarms, tiles, backlog, ages, hours, rates, breakers, people])
        draw(s);
    byId("about").textContent = (s.policy ? "Policy " + s.policy.id + " " + s.policy.version + ", " : "") +
        "seen at " + new Date().toLocaleTimeString([], {timeStyle: "short"});
    return "";
}

/* Not while a number is being pressed, or a slice closed: what is under the hand stays. */
async function watch() {
    if (!document.hidden && session.key && !byId("close").open &&
        !document.activeElement.classList.contains("number"))
        await look();
    setTimeout(watch, POLL_MS);
}

byId("again").addEventListener("click", () => { tell("", ""); look(); lookAtItems(); });
byId("leave").addEventListener("click", () => knock(""));
byId("anybody").addEventListener("click", () => { who(""); lookAtItems(); });
byId("filter").addEventListener("change", lookAtItems);
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("close-not").addEventListener("click", () => byId("close").close());
byId("close-form").addEventListener("submit", (event) => {
    event.preventDefault();
    endClose();
});
openDoor(async () => {
    const trouble = await look();

    if (!trouble)
        await lookAtItems();
    return trouble;
});
setTimeout(watch, POLL_MS);
