/* What the reviewers' page and the lead's have in common. Texts of strangers only ever become text:
   nothing here writes markup. */

const byId = (id) => document.getElementById(id);

function make(name, attributes, ...children) {
    const svg = ["svg", "rect", "line", "text", "path", "g"].includes(name);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
        : document.createElement(name);

    for (const [key, value] of Object.entries(attributes || {}))
        if (value !== null && value !== undefined && value !== false)
            node.setAttribute(key, value === true ? "" : value);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

/* ---- words ---- */

const DASH = "–";
const count = (n, one, many) => n + " " + (n === 1 ? one : many || one + "s");

function duration(seconds) {
    if (seconds === null || seconds === undefined)
        return DASH;
    const s = Math.max(0, Math.round(seconds));
    if (s < 90)
        return s + " s";
    if (s < 5400)
        return Math.round(s / 60) + " min";
    if (s < 129600)
        return (s / 3600 < 10 ? (s / 3600).toFixed(1).replace(".0", "") : Math.round(s / 3600)) + " h";
    return Math.round(s / 86400) + " days";
}

const minutes = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
const moment = (text) => text ? new Date(text).toLocaleString([], {dateStyle: "medium",
    timeStyle: "short"}) : DASH;
const ago = (text) => text ? duration((Date.now() - Date.parse(text)) / 1000) + " ago" : DASH;

function due(text) {
    if (!text)
        return DASH;
    const left = (Date.parse(text) - Date.now()) / 1000;
    return left >= 0 ? "in " + duration(left) : "overdue by " + duration(-left);
}

const KINDS = {appeal: "Appeal", hold: "Held picture", audit: "Blind audit", second: "Second opinion",
    golden: "Known answer"};
const OUTCOMES = {overturn: "Let it go", partly: "Let it go, behind a click", uphold: "Keep it back",
    illegal: "Suspected illegal"};
const spaced = (name) => name ? String(name).replace(/[_.]/g, " ") : DASH;

/* ---- the API ---- */

/* The key is kept for this window alone, and goes with it. */
const session = {key: sessionStorage.getItem("limner-key") || ""};

const TROUBLE = {
    lease_over: "Your time on this item was over, so it went back to the queue. What you wrote is still here.",
    stale: "This item has changed while you were looking at it. It was loaded again: please look once more.",
    decided_before: "You took part in an earlier decision about this, so somebody else has to decide it.",
    break_due: "It is time for a break.",
    exposure_cap: "You have uncovered as many pictures as one person should in an hour.",
    insufficient_permissions: "This key may not do that.",
    unreachable: "The server could not be reached. Nothing is lost: please try again.",
};

function sentence(error) {
    const words = TROUBLE[error.code] || error.message || "Something went wrong.";

    return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

function remember(key) {
    session.key = key;
    if (key)
        sessionStorage.setItem("limner-key", key);
    else
        sessionStorage.removeItem("limner-key");
}

function read(text) {
    try {
        return JSON.parse(text);
    } catch (error) {
        return null;
    }
}

/* {status, data, error, retry_s}; error is null when all went well. A key that is refused brings
   the door back, whoever asked. */
async function ask(method, path, body, options) {
    const headers = session.key ? {authorization: "Bearer " + session.key} : {};
    let answer, data = null;

    if (body)
        headers["content-type"] = "application/json";
    try {
        answer = await fetch(path, {method, headers, body: body ? JSON.stringify(body) : undefined,
            cache: "no-store", credentials: "omit", ...options});
        data = answer.status === 204 ? null : read(await answer.text());
    } catch (error) {
        return {status: 0, data: null, error: {code: "unreachable"}, retry_s: 5};
    }
    if (answer.ok)
        return {status: answer.status, data, error: null};
    const error = data && data.error || {code: "http_" + answer.status,
        message: "The server answered with " + answer.status};
    if (answer.status === 401)
        knock(session.key ? sentence(error) : "");
    return {status: answer.status, data, error,
        retry_s: Number(error.retry_after_s || answer.headers.get("retry-after")) || 60};
}

/* ---- the door ---- */

let enter = null; /* what a page does once a key is there */

/* Ask for a key, and say why. */
function knock(why) {
    remember("");
    document.body.dataset.inside = "no";
    byId("door").hidden = false;
    byId("inside").hidden = true;
    byId("door-trouble").hidden = !why;
    byId("door-trouble").textContent = why;
    byId("key").focus();
}

function openDoor(page) {
    enter = page;
    byId("door").addEventListener("submit", (event) => {
        event.preventDefault();
        remember(byId("key").value.trim());
        byId("key").value = "";
        if (session.key)
            come();
    });
    if (session.key)
        come();
    else
        knock("");
}

async function come() {
    const trouble = await enter();

    if (!session.key)
        return;
    if (trouble) {
        knock(trouble);
        return;
    }
    byId("door").hidden = true;
    byId("inside").hidden = false;
    document.body.dataset.inside = "yes";
}

/* ---- saying ---- */

/* For those who hear the page; the same words twice are two sentences. */
function say(words) {
    const voice = byId("voice");

    voice.textContent = voice.textContent === words ? words + "\u00a0" : words;
}

/* A notice at the top of the page, until the next one. */
function tell(kind, words) {
    const notice = byId("notice");

    notice.hidden = !words;
    notice.className = "notice " + kind;
    notice.setAttribute("role", kind === "bad" ? "alert" : "status");
    notice.textContent = words || "";
}
