/* The officers' page: records of the log, and whether each is really in it. The proof is checked here,
   in the browser, up to the head; the head's signature is for tools/verify_log. */

const LIST = 50;
const KINDS_OF_RECORDS = ["embed", "verify", "detect", "read", "export", "key", "erase", "config", "retention",
    "override", "start", "clock"];
const seen = {query: null, records: [], turn: 0};

/* ---- asking ---- */

/* The body as it came; what fails is told. */
async function fetchText(path) {
    let answer;

    try {
        answer = await fetch(path, {headers: {authorization: "Bearer " + session.key}, cache: "no-store",
            credentials: "omit"});
    } catch (error) {
        return {error: {code: "unreachable"}};
    }
    const text = await answer.text();

    if (answer.ok)
        return {text};
    const error = (read(text) || {}).error || {message: "The server answered with " + answer.status};

    if (answer.status === 401)
        knock(sentence(error));
    return {error};
}

/* A line, and the same line as an object. Integers of nanoseconds are longer than numbers here can be: the
   line itself is what is hashed. */
const lines = (text) => text.split("\n").filter((line) => line).map((line) => ({line, data: JSON.parse(line)}));
const timeOf = (record) => new Date(Number(BigInt(/"time_ns":(\d+)/.exec(record.line)[1]) / 1000000n));

/* ---- proofs, RFC 9162 ---- */

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const equal = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

async function hash(...parts) {
    const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;

    for (const part of parts) {
        all.set(part, at);
        at += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

/* The size of the head that the record is under; null: it is not. */
async function prove(line, index, text) {
    const [path, note] = [text.split("\n\n")[0].split("\n"), text.slice(text.indexOf("\n\n") + 2).split("\n")];
    const size = BigInt(note[1]);
    let fn = BigInt(index), sn = size - 1n;
    let r = await hash(Uint8Array.of(0), new TextEncoder().encode(line));

    if (path[0] !== "c2sp.org/tlog-proof@v1" || path[1] !== "index " + index || fn > sn)
        return null;
    for (const p of path.slice(2).map(bytesOf)) {
        if (sn === 0n)
            return null;
        if (fn & 1n || fn === sn) {
            r = await hash(Uint8Array.of(1), p, r);
            while (!(fn & 1n) && fn) {
                fn >>= 1n;
                sn >>= 1n;
            }
        } else {
            r = await hash(Uint8Array.of(1), r, p);
        }
        fn >>= 1n;
        sn >>= 1n;
    }
    return sn === 0n && equal(r, bytesOf(note[2])) ? size : null;
}

async function tellProof(record) {
    const box = byId("proof"), answer = await fetchText("/v1/log/proof?index=" + record.data.index);
    const told = (kind, words) => {
        box.className = "notice " + kind;
        box.textContent = words;
    };

    if (answer.error) {
        told("warn", answer.error.code === "not_signed_yet"
            ? "No signed head covers this record yet. One is signed each second: look again."
            : "No proof could be had. " + sentence(answer.error));
        return;
    }
    if (!window.crypto || !crypto.subtle) {
        told("warn", "There is a proof, but this browser checks it only over HTTPS. tools/verify_log checks it anywhere.");
        return;
    }
    const size = await prove(record.line, record.data.index, answer.text).catch(() => null);

    if (size === null)
        told("bad", "The proof does not lead from this record to the head: one of them was altered.");
    else
        told("good", "Proven: this record is under the head of " + size + " records. Its signature is checked by "
            + "tools/verify_log, with a key that you have from elsewhere.");
}

/* ---- one record ---- */

function button(words, press) {
    const node = make("button", {type: "button", class: "quiet"}, words);

    node.addEventListener("click", press);
    return node;
}

function flat(data, before, out) {
    for (const [key, value] of Object.entries(data)) {
        if (value && typeof value === "object" && !Array.isArray(value))
            flat(value, key + ".", out);
        else
            out.push([before + key, Array.isArray(value) ? value.join(", ") : String(value)]);
    }
    return out;
}

/* Pictures that it was made from, and records of the same picture. */
async function lineage(record) {
    const list = byId("lineage"), why = byId("find").reason.value;
    const of = (id, words) => make("li", {}, words + " ", button(id, () => search({id, reason: why})));

    list.replaceChildren(...(record.data.parents || []).map((id) => of(id, "Made from picture")));
    if (record.data.id) {
        const answer = await fetchText("/v1/log/search?" + new URLSearchParams({id: record.data.id, reason: why}));

        for (const other of answer.error ? [] : lines(answer.text))
            if (other.data.index !== record.data.index)
                list.append(make("li", {}, button("Record " + other.data.index, () => show(other)),
                    " " + other.data.kind + ", " + timeOf(other).toLocaleString()));
    }
    if (!list.children.length)
        list.append(make("li", {}, "Nothing more of it is in the log."));
}

function show(record) {
    byId("one").hidden = false;
    byId("one-title").textContent = "Record " + record.data.index;
    byId("fields").tBodies[0].replaceChildren(...flat(record.data, "", []).filter(([key]) => key !== "time_ns")
        .map(([key, value]) => make("tr", {}, make("th", {scope: "row"}, key), make("td", {}, make("code", {}, value)))));
    byId("fields").tBodies[0].prepend(make("tr", {}, make("th", {scope: "row"}, "time (UTC)"),
        make("td", {}, timeOf(record).toISOString())));
    byId("one-title").focus();
    tellProof(record);
    lineage(record);
}

/* ---- many ---- */

function row(record) {
    const d = record.data, mark = d.mark || {};

    return make("tr", {}, make("td", {}, button(String(d.index), () => show(record))),
        make("td", {}, timeOf(record).toLocaleString()), make("td", {}, d.kind), make("td", {}, d.id || DASH),
        make("td", {}, d.tenant || DASH), make("td", {}, d.model || DASH),
        make("td", {}, mark.verdict ? mark.verdict + (mark.weak ? ", weak" : "") : DASH), make("td", {}, d.note || ""));
}

function draw(found) {
    const body = byId("found").tBodies[0];

    body.append(...found.map(row));
    byId("none").hidden = body.rows.length > 0;
    byId("none").textContent = "Nothing was found.";
    byId("older").hidden = found.length < LIST;
}

async function search(wanted) {
    const older = wanted.before !== undefined, turn = ++seen.turn;
    const answer = await fetchText("/v1/log/search?" + new URLSearchParams({...wanted, count: LIST}));

    if (turn !== seen.turn)
        return; /* something else was looked for meanwhile */
    tell(answer.error ? "bad" : "", answer.error ? sentence(answer.error) : "");
    if (answer.error)
        return;
    const found = lines(answer.text);

    if (!older) {
        byId("found").tBodies[0].replaceChildren();
        seen.records = [];
        byId("one").hidden = true;
    }
    seen.query = wanted;
    seen.records.push(...found);
    draw(found);
    say(count(seen.records.length, "record") + " in the list.");
    if (!older)
        byId("found-title").focus();
}

function wanted() {
    const form = byId("find"), out = {};

    for (const input of form.elements) {
        const value = input.name && input.value.trim();

        if (value)
            out[input.name] = input.type === "datetime-local" ? Math.floor(new Date(value) / 1000) : value;
    }
    return out;
}

/* ---- how it stands ---- */

async function look() {
    const answer = await ask("GET", "/v1/log/stats");
    const tile = (name, value, small) => make("div", {class: "card"}, make("dt", {}, name),
        make("dd", {}, String(value), make("small", {}, small || "")));

    if (answer.error)
        return answer.status === 403 ? "This key does not have the scope compliance." : sentence(answer.error);
    const s = answer.data, today = s.last_day, run = s.since_start;

    byId("tiles").replaceChildren(
        tile("Records", s.size), tile("Under the signed head", s.head.size, s.size - s.head.size + " not yet"),
        tile("Head signed", s.head.age_s === null ? DASH : duration(s.head.age_s), "ago"),
        tile("Pictures marked", s.all.embed || 0, (today.embed || 0) + " in the last day"),
        run ? tile("Marked and logged", run.marked + " / " + run.logged,
            "since the start; " + count(run.weak, "is", "are") + " weak, " + run.failed + " not sent") : "",
        tile("Found again", s.all.detect || 0, (today.detect || 0) + " in the last day"),
        tile("Looks of officers", s.all.read || 0, (today.read || 0) + " in the last day"),
        tile("Jumps of the clock", s.all.clock || 0, (today.clock || 0) + " in the last day"));
    byId("about").textContent = "seen at " + new Date().toLocaleTimeString([], {timeStyle: "short"});
    return "";
}

byId("find").kind.append(...KINDS_OF_RECORDS.map((kind) => make("option", {value: kind}, kind)));
byId("leave").addEventListener("click", () => knock(""));
byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    search(wanted());
});
byId("older").addEventListener("click", () =>
    search({...seen.query, before: seen.records[seen.records.length - 1].data.index}));
openDoor(look);
