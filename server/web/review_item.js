/* What stands on the page of an item, and how its picture is looked at. Part of the reviewers' page. */

const REASONS = {medical: "It is medical or educational", art: "It is art or history",
    not_what_it_says: "It does not show what the check reported", other: "Another reason"};

const EVENTS = {judged: "Judged by the machine", "item.queued": "Put into the queue",
    "item.claimed": "Taken by a reviewer", "item.viewed": "Looked at", "item.released": "Put back",
    "item.returned": "Back in the queue: its time was over", "item.skipped": "Skipped",
    "item.asked": "The owner was asked", "item.decided": "Decided",
    "item.escalated": "Not looked at in the promised time", "item.superseded": "Decided elsewhere",
    "item.expired": "Expired", "appeal.filed": "The owner asked for a second look",
    "appeal.replied": "The owner answered", "appeal.withdrawn": "The owner took it back",
    "decision.expired": "What was kept is deleted"};

/* ---- drawing the item; every text of it is a stranger's ---- */

function quote(text) {
    return make("blockquote", {dir: "auto"}, text);
}

function chips(item) {
    const d = item.decision || {}, late = Date.parse(item.due_first_review) < Date.now();
    const chip = (text, kind) => make("li", {class: kind || null}, text);

    byId("facts").replaceChildren(...[
        d.category ? chip(spaced(d.category.id)) : null,
        d.context ? chip("Context granted: " + d.context, "mark") : null,
        item.due_first_review ? chip("Due " + due(item.due_first_review), late ? "late" : "") : null,
        item.tenant ? chip(item.tenant) : null,
        d.model ? chip(d.model) : null,
    ].filter(Boolean));
}

function drawOwner(item) {
    const owner = item.owner, body = byId("owner-body");

    byId("owner").hidden = !owner;
    if (!owner)
        return;
    body.replaceChildren(make("p", {}, make("b", {}, REASONS[owner.reason] || spaced(owner.reason)),
        ", " + ago(owner.submitted_at)));
    body.append(owner.text ? quote(owner.text) : make("p", {class: "soft"}, "Nothing was written."));
    if (owner.question)
        body.append(make("p", {class: "soft"}, "Asked by a reviewer:"), quote(owner.question),
            make("p", {class: "soft"}, "The answer:"),
            owner.reply ? quote(owner.reply) : make("p", {}, "There was none."));
}

function drawPrompt(item) {
    const body = byId("prompt-body");

    byId("prompt").hidden = !item.prompt;
    byId("prompt").open = (item.decision || {}).stage === "prompt"; /* there is nothing else to judge */
    if (!item.prompt)
        return;
    body.replaceChildren(quote(item.prompt));
    if (item.negative_prompt)
        body.append(make("p", {class: "soft"}, "And without:"), quote(item.negative_prompt));
}

function drawClauses(item) {
    byId("clauses").replaceChildren(...(item.clauses || []).map((clause, i) => make("div", {class: "clause"},
        make("p", {}, make("b", {}, clause.id), i === 0 && item.kind !== "audit" ? " (used here)" : ""),
        clause.text ? make("p", {}, clause.text) : null,
        (clause.examples || []).length ? make("ul", {}, ...clause.examples.map((example) => make("li", {},
            make("span", {class: example.allowed ? "yes" : "no"}, example.allowed ? "Allowed: " : "Not allowed: "),
            example.text))) : null)));
}

function drawPast(item) {
    byId("past").replaceChildren(...(item.history || []).map((event) => make("li", {},
        make("time", {datetime: event.at}, moment(event.at)),
        make("span", {}, event.text || EVENTS[event.kind] || spaced(event.kind), make("span", {class: "soft"}, " " + (event.actor || ""))))));
    if (!(item.history || []).length)
        byId("past").append(make("li", {class: "soft"}, "Nothing yet."));
    byId("near").replaceChildren();
    if ((item.near || []).length)
        byId("near").append(make("p", {}, "The same was decided before: " + item.near.map((n) =>
            (OUTCOMES[n.outcome] || spaced(n.outcome)).toLowerCase() + ", " + ago(n.at)).join("; ") + "."));
}

function draw() {
    const item = desk.item, d = item.decision || {};

    byId("item-title").textContent = KINDS[item.kind] || "Item";
    chips(item);
    drawOwner(item);
    byId("told").hidden = !d.statement;
    byId("told-body").textContent = d.statement || "";
    drawPrompt(item);
    drawClauses(item);
    drawPast(item);
    byId("ask-open").hidden = item.kind !== "appeal";
    byId("tools").hidden = byId("tools-words").hidden = !item.picture;
    drawFrame();
    fillForm();
}

/* ---- the picture ---- */

function drawFrame() {
    const frame = byId("frame"), item = desk.item;

    for (const button of document.querySelectorAll("[data-show]")) {
        const step = STEPS.indexOf(button.dataset.show);

        button.setAttribute("aria-pressed", String(desk.view === button.dataset.show));
        button.disabled = step > desk.seen + 1;
    }
    for (const button of document.querySelectorAll("[data-size]"))
        button.disabled = !desk.url || !SIZES[desk.size + Number(button.dataset.size)];
    byId("hide").disabled = !desk.view;
    if (desk.url)
        frame.replaceChildren(make("img", {src: desk.url, class: SIZES[desk.size],
            alt: "The picture, " + STEP_WORDS[desk.view]}));
    else
        frame.replaceChildren(make("p", {}, !item || item.picture
            ? "The picture is hidden. Begin with the blurred one, when you are ready."
            : "No picture was made: the words were stopped before."));
}

/* Off the page, and out of memory. */
function hide(aloud) {
    if (desk.url)
        URL.revokeObjectURL(desk.url);
    const was = desk.view;

    desk.url = "";
    desk.view = null;
    if (!was)
        return false;
    drawFrame();
    if (aloud)
        say("The picture is hidden.");
    return true;
}

/* One view for one token: the server counts them, and forgets the token. */
async function fetchView(variant) {
    const asked = await call("view", {variant});

    if (asked.error)
        return asked;
    const headers = session.key ? {authorization: "Bearer " + session.key} : {};

    try {
        const answer = await fetch(asked.data.url, {headers, cache: "no-store", credentials: "omit"});

        if (answer.ok)
            return {error: null, blob: await answer.blob()};
        const data = read(await answer.text());
        return {status: answer.status, error: data && data.error || {code: "http_" + answer.status,
            message: "The picture could not be had"}, retry_s: 60};
    } catch (error) {
        return {status: 0, error: {code: "unreachable"}, retry_s: 5};
    }
}

async function view(variant) {
    const step = STEPS.indexOf(variant), item = desk.item;

    if (!item || !item.picture || desk.busy || step > desk.seen + 1 || desk.view === variant)
        return;
    desk.busy = true;
    const got = await fetchView(variant);
    desk.busy = false;
    if (desk.item !== item)
        return;
    if (got.error && got.error.code === "exposure_cap") { /* the other steps are still there */
        tell("warn", sentence(got.error) + " You can still look at it blurred, or skip it.");
        return;
    }
    if (got.error) {
        fail(got);
        return;
    }
    hide(false);
    desk.view = variant;
    desk.url = URL.createObjectURL(got.blob);
    desk.seen = Math.max(desk.seen, step);
    drawFrame();
    say("The picture is shown " + STEP_WORDS[variant] + ".");
    if (variant !== "blur")
        lookAtDay();
}

function resize(by) {
    if (!desk.url || !SIZES[desk.size + by])
        return;
    desk.size += by;
    drawFrame();
}
