/* The reviewers' page. One item at a time; its picture is shown only by steps that were asked for,
   and what the machine thought only when the decision is made. */

const BEAT_MS = 60000;        /* between two words to the server that the item is still wanted */
const IDLE_MS = 300000;       /* without a move of the reviewer nothing is said for him */
const WARN_MS = 90000;        /* before the end of the lease */
const UNDO_MS = 10000;        /* in which a decision can be taken back */
const SIZES = ["small", "medium", "large"];
const STEPS = ["blur", "grey", "full"];
const STEP_WORDS = {blur: "blurred", grey: "in grey", full: "in full colour"};

const OUTCOME_KEYS = {overturn: "L", partly: "C", uphold: "K", illegal: "I"};

const SKIPS = {too_hard: "It is too hard to decide", not_my_field: "It is not my field",
    distressing: "I would rather not look at this one",
    conflict_of_interest: "I know the owner, or have part in it", technical: "Something does not work"};

const KEY_WORDS = [["N", "next item"], ["1 2 3", "show the picture blurred, in grey, in full"],
    ["Esc", "hide the picture at once"], ["+ −", "larger, smaller"], ["P", "the words it was made from"],
    ["L C K I", "let go, behind a click, keep back, illegal"], ["Ctrl Enter", "decide"],
    ["U", "undo, while it waits"], ["S", "skip"], ["A", "ask the owner"], ["?", "this list"]];

const now = () => performance.timeOrigin + performance.now();

/* The item at hand, and how it is looked at. */
const desk = {item: null, token: "", until: 0, beaten: 0, warned: false, view: null, seen: -1, url: "",
    size: 0, waiting: null, busy: false, touched: false, drafts: new Map()};
const day = {mine: null, at: 0, moved: now(), resume: 0, keys: true};

/* ---- screens ---- */

function show(screen) {
    for (const id of ["idle", "pause", "after", "item"])
        byId(id).hidden = id !== screen;
    document.body.dataset.screen = screen;
    const title = byId(screen + "-title");
    window.scrollTo(0, 0);
    title.focus({preventScroll: true});
}

function idle() {
    drop();
    tell("", "");
    const waiting = day.mine && day.mine.waiting;

    byId("waiting").textContent = waiting === null || waiting === undefined ? ""
        : waiting ? count(waiting, "item waits", "items wait") + " for somebody like you."
            : "Nothing waits for you at the moment.";
    show("idle");
}

/* Forget the item; nothing of it stays on the page. */
function drop() {
    hide(false);
    keepDraft();
    Object.assign(desk, {item: null, token: "", until: 0, view: null, seen: -1, waiting: null,
        touched: false});
    sessionStorage.removeItem("limner-lease");
    for (const id of ["owner-body", "told-body", "prompt-body", "clauses", "past", "near", "facts"])
        byId(id).replaceChildren();
}

function breathe(seconds, title, words, forced) {
    const over = now() + seconds * 1000;

    day.resume = forced ? over : 0;
    byId("pause-title").textContent = title;
    byId("pause-words").textContent = words;
    byId("pause-left").hidden = !forced;
    byId("resume").disabled = forced;
    show("pause");
    tick();
}

function rest(answer) {
    const cap = answer.error.code === "exposure_cap";

    drop();
    breathe(answer.retry_s, cap ? "That is enough for now" : "Time for a break",
        (cap ? TROUBLE.exposure_cap + " Somebody else goes on. "
            : "Please look at something else for a while: a window, a person, a cup of tea. ") +
        "Nothing waits for you, and no item is yours.", true);
}

/* ---- the day ---- */

function counts() {
    const mine = day.mine;

    byId("counts").replaceChildren();
    if (!mine)
        return;
    const since = mine.minutes_since_break === null || mine.minutes_since_break === undefined ? null
        : mine.minutes_since_break + Math.floor((now() - day.at) / 60000);
    const add = (near, value, words) => byId("counts").append(make("li", {class: near ? "near" : null},
        make("b", {}, String(value)), " " + words));

    add(false, mine.decided_today ?? 0, "decided today");
    if (mine.full_views_per_hour)
        add(mine.full_views_hour >= 0.8 * mine.full_views_per_hour,
            mine.full_views_hour + " of " + mine.full_views_per_hour, "uncovered this hour");
    add(false, mine.full_views_today ?? 0, mine.full_views_per_hour ? "today" : "uncovered today");
    if (since !== null)
        add(mine.break_every_minutes && since >= 0.8 * mine.break_every_minutes, since,
            "min since a break");
}

async function lookAtDay() {
    const answer = await ask("GET", "/v1/review/mine");

    if (answer.error)
        return answer;
    day.mine = answer.data;
    day.at = now();
    byId("to-lead").hidden = answer.data.role !== "lead";
    counts();
    return answer;
}

/* ---- claiming ---- */

function kinds() {
    const boxes = [...document.querySelectorAll("input[name=kind]")];
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);

    return wanted.length && wanted.length < boxes.length ? wanted : null;
}

async function claim() {
    if (desk.busy || desk.item)
        return;
    desk.busy = true;
    tell("", "");
    const wanted = kinds();
    const answer = await ask("POST", "/v1/review/claim", wanted ? {kinds: wanted} : {});
    desk.busy = false;
    if (answer.status === 401)
        return;
    if (answer.status === 429) {
        rest(answer);
    } else if (answer.error) {
        tell("bad", sentence(answer.error));
    } else if (!answer.data) {
        idle();
        byId("waiting").textContent = "Nothing waits for you at the moment. Well done.";
        say("Nothing waits for you at the moment.");
    } else {
        take(answer.data);
    }
}

function lease(data) {
    if (data.lease_token)
        desk.token = data.lease_token;
    const left = data.lease_s ?? (Date.parse(data.lease_until) - Date.now()) / 1000;

    desk.until = now() + left * 1000;
    desk.beaten = now();
    desk.warned = false;
    sessionStorage.setItem("limner-lease", JSON.stringify({item: desk.item.id, token: desk.token}));
}

function take(data) {
    desk.item = data.item;
    lease(data);
    draw();
    emptyForm();
    show("item");
    tick();
    lookAtDay();
}

/* After a reload: the item is still ours, or it is not. */
async function resume() {
    const kept = read(sessionStorage.getItem("limner-lease") || "null");

    if (!kept)
        return false;
    const item = await ask("GET", "/v1/review/items/" + kept.item);
    const beat = item.error ? item : await ask("POST", "/v1/review/items/" + kept.item + "/heartbeat",
        {lease_token: kept.token});
    sessionStorage.removeItem("limner-lease");
    if (beat.error)
        return false;
    take({...beat.data, item: item.data.item || item.data, lease_token: kept.token});
    return true;
}

const call = (verb, body) => ask("POST", "/v1/review/items/" + desk.item.id + "/" + verb,
    {lease_token: desk.token, ...body});

async function beat() {
    if (!desk.item)
        return;
    desk.beaten = now(); /* not again while this one is under way */
    const id = desk.item.id, answer = await call("heartbeat");

    if (!desk.item || desk.item.id !== id)
        return;
    if (answer.error)
        fail(answer);
    else
        lease(answer.data);
}

/* Something about the item went wrong. Nothing that was written is lost. */
async function fail(answer) {
    const code = answer.error.code, item = desk.item;

    if (answer.status === 401 || !item)
        return;
    if (code === "lease_over" || code === "not_in_this_state" || answer.status === 404) {
        lost(sentence(code === "lease_over" ? answer.error
            : {message: "This item is not there any more: its owner took it back, or it was decided"}));
    } else if (code === "decided_before") {
        drop();
        idle();
        tell("warn", sentence(answer.error));
    } else if (answer.status === 429) {
        await call("release");
        rest(answer);
    } else if (code === "stale") {
        const again = await ask("GET", "/v1/review/items/" + item.id);

        if (again.error) {
            lost("This item has changed, and could not be loaded again.");
            return;
        }
        desk.item = again.data.item || again.data;
        draw();
        trouble(sentence(answer.error));
    } else {
        trouble(sentence(answer.error));
    }
}

/* The item is somebody else's now. What was written stays, to be copied or used again. */
function lost(words) {
    const draft = byId("answer").value, touched = desk.touched;

    drop();
    idle();
    tell("bad", words + (touched && draft ? " Your answer: " + draft : ""));
}

/* ---- skipping, asking, stopping ---- */

async function leaveItem(verb, body, words) {
    if (!desk.item || desk.waiting)
        return false;
    const answer = await call(verb, body);

    if (answer.error) {
        await fail(answer);
        return false;
    }
    idle();
    tell("good", words);
    return true;
}

async function skipItem(dialog) {
    const reason = chosen("skip");

    if (dialog.returnValue === "skip" && reason)
        await leaveItem("skip", {reason}, "Skipped. Somebody else gets it.");
}

async function askOwner(dialog) {
    const question = byId("question-text").value.trim();

    if (dialog.returnValue === "ask" && question &&
        await leaveItem("ask", {question}, "The question was sent to the owner."))
        byId("question-text").value = "";
}

async function pause() {
    if (desk.waiting)
        await send();
    if (desk.item)
        await call("release");
    drop();
    ask("POST", "/v1/review/break", {});
    breathe(0, "A break", "Take the time you need. No item is yours, and nothing is shown.", false);
}

function pauseOver() {
    day.resume = 0;
    idle();
    lookAtDay();
}

async function leave() {
    if (desk.item)
        await call("release");
    drop();
    show("idle");
    knock("");
    byId("leave").hidden = byId("rest").hidden = true;
    byId("counts").replaceChildren();
}

/* ---- time ---- */

function tickLease() {
    const left = desk.until - now(), active = now() - day.moved < IDLE_MS;

    if (left <= 0) {
        lost(TROUBLE.lease_over);
        return;
    }
    byId("lease-left").textContent = "Yours for " + minutes(left / 1000);
    byId("lease").classList.toggle("soon", left < WARN_MS);
    byId("keep").hidden = left >= WARN_MS;
    if (left < WARN_MS && !desk.warned) {
        desk.warned = true;
        say("This item goes back to the queue in " + duration(left / 1000) + ", unless you keep it.");
    }
    if (now() - desk.beaten >= BEAT_MS && active && !document.hidden)
        beat();
}

function tick() {
    if (desk.waiting && !desk.waiting.sent) {
        const left = Math.ceil((desk.waiting.at - now()) / 1000);

        byId("undo-words").textContent = OUTCOMES[desk.waiting.body.outcome] + ": sent in " + Math.max(left, 0) + " s";
        if (left <= 0)
            send();
    }
    if (desk.item)
        tickLease();
    if (day.resume) {
        const left = (day.resume - now()) / 1000;

        byId("pause-left").textContent = left > 0 ? minutes(left) : "You can go on.";
        if (left <= 0) {
            day.resume = 0;
            byId("resume").disabled = false;
            say("The break is over. You can go on.");
        }
    }
    counts();
}

/* ---- keys ---- */

const doing = (selector) => document.querySelector(selector).click();

const KEYS = {
    n: () => (!byId("after").hidden || !byId("idle").hidden) && claim(),
    1: () => view("blur"), 2: () => view("grey"), 3: () => view("full"),
    "+": () => resize(1), "=": () => resize(1), "-": () => resize(-1),
    p: () => { byId("prompt").open = !byId("prompt").open; },
    s: () => doing("#skip-open"), a: () => byId("ask-open").hidden || doing("#ask-open"),
    u: undo, "?": () => byId("help").showModal(),
};
for (const [outcome, key] of Object.entries(OUTCOME_KEYS))
    KEYS[key.toLowerCase()] = () => !desk.waiting && doing("input[name=outcome][value=" + outcome + "]");

function onKey(event) {
    const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select");

    day.moved = now();
    if (event.key === "Escape" && hide(true)) {
        event.preventDefault(); /* before any dialog: what was on the screen goes first */
        return;
    }
    if (event.key === "Enter" && event.ctrlKey && desk.item && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        decide();
        return;
    }
    if (typing || !day.keys || event.ctrlKey || event.altKey || event.metaKey || event.repeat ||
        document.querySelector("dialog[open]") || document.body.dataset.inside !== "yes")
        return;
    const act = KEYS[event.key.toLowerCase()], needs = !"n?u".includes(event.key.toLowerCase());

    if (!act || needs && (!desk.item || desk.waiting))
        return;
    event.preventDefault();
    act();
}

/* ---- beginning ---- */

function build() {
    byId("outcomes").append(...Object.entries(OUTCOMES).map(([id, words]) =>
        choice("outcome", id, words, OUTCOME_KEYS[id], id === "illegal" ? "danger" : "")));
    byId("confidence").append(...[1, 2, 3, 4, 5].map((n) => {
        const label = choice("confidence", n, String(n));

        label.firstChild.setAttribute("aria-label", n + " of 5" + (n === 1 ? ", a guess" : n === 5 ? ", certain" : ""));
        return label;
    }));
    byId("skip-reasons").append(...Object.entries(SKIPS).map(([id, words]) => choice("skip", id, words)));
    byId("keys").append(...KEY_WORDS.flatMap(([key, words]) => [make("dt", {}, make("kbd", {}, key)),
        make("dd", {}, words)]));
}

function listen() {
    const click = (id, act) => byId(id).addEventListener("click", () => act());

    for (const [id, act] of [["next", claim], ["again", claim], ["stop", idle], ["hide", () => hide(true)],
        ["undo", undo], ["send-now", send], ["rest", pause], ["leave", leave], ["resume", pauseOver],
        ["keep", beat], ["template", () => offer(true)], ["put-back", () =>
            leaveItem("release", {}, "Put back. Somebody else gets it.")],
        ["help-open", () => byId("help").showModal()], ["skip-open", () => byId("skip").showModal()],
        ["ask-open", () => byId("question").showModal()]])
        click(id, act);
    for (const button of document.querySelectorAll("[data-show]"))
        button.addEventListener("click", () => view(button.dataset.show));
    for (const button of document.querySelectorAll("[data-size]"))
        button.addEventListener("click", () => resize(Number(button.dataset.size)));
    byId("outcomes").addEventListener("change", pickOutcome);
    byId("code").addEventListener("change", () => offer());
    byId("clause").addEventListener("change", () => offer());
    byId("answer").addEventListener("input", () => {
        desk.touched = true;
        length();
    });
    byId("keys-on").addEventListener("change", () => { day.keys = byId("keys-on").checked; });
    byId("decision").addEventListener("submit", (event) => {
        event.preventDefault();
        decide();
    });
    byId("skip").addEventListener("close", () => skipItem(byId("skip")));
    byId("question").addEventListener("close", () => askOwner(byId("question")));
    for (const dialog of ["skip", "question"])
        byId(dialog).addEventListener("cancel", () => { byId(dialog).returnValue = ""; });
    document.addEventListener("keydown", onKey, true);
    document.addEventListener("pointerdown", () => { day.moved = now(); }, true);
    document.addEventListener("visibilitychange", () => document.hidden && hide(false));
    window.addEventListener("pagehide", () => hide(false));
}

build();
listen();
setInterval(tick, 1000);
openDoor(async () => {
    const answer = await lookAtDay();

    if (answer.error)
        return answer.status === 403 ? "This key does not have the scope review." : sentence(answer.error);
    byId("rest").hidden = byId("leave").hidden = false;
    byId("inside").hidden = false;
    if (!await resume())
        idle();
    return "";
});
