/* The form, the ten seconds in which it can be taken back, and what is shown afterwards. Part of the
   reviewers' page. */

/* Reason codes: for which outcomes, in words, and the answer to begin with. What stands in brackets
   has to be replaced before it can be sent. */
const CODES = {
    medical_or_educational: {for: ["overturn", "partly"], words: "Medical or educational",
        answer: "A person has looked at your picture. It is medical or educational, which our rules " +
            "allow. The automatic check was wrong, and we are sorry for the delay."},
    art_or_history: {for: ["overturn", "partly"], words: "Art or history",
        answer: "A person has looked at your picture. It is art or shows history, which our rules " +
            "allow. The automatic check was wrong, and we are sorry for the delay."},
    not_what_it_says: {for: ["overturn", "partly"], words: "It does not show what the check reported",
        answer: "A person has looked at your picture. It does not show what the automatic check " +
            "reported. The check was wrong, and we are sorry for the delay."},
    harmless_word: {for: ["overturn", "partly"], words: "A word that is harmless here",
        answer: "A person has read your request. The word that stopped it is harmless here. The " +
            "automatic check was wrong, and we are sorry for the delay."},
    context_granted: {for: ["overturn", "partly"], words: "Allowed in the context that was granted",
        answer: "A person has looked at your picture. It is allowed in the context that you work in."},
    other_allowed: {for: ["overturn", "partly"], words: "Allowed for another reason",
        answer: "A person has looked at your picture and let it through: [why]."},
    explicit_content: {for: ["uphold"], words: "Explicit content",
        answer: "A person has looked at your picture. It shows [what you saw], which {clause} does not " +
            "allow, and nothing points to a medical, educational or artistic purpose."},
    suggestive_content: {for: ["uphold"], words: "Suggestive content",
        answer: "A person has looked at your picture. It shows [what you saw], which {clause} does not " +
            "allow here."},
    violence: {for: ["uphold"], words: "Violence",
        answer: "A person has looked at your picture. It shows [what you saw], which {clause} does not " +
            "allow."},
    not_in_context: {for: ["uphold"], words: "Not what the context was granted for",
        answer: "A person has looked at your picture. Your context allows more than others may do, but " +
            "not this: [what you saw]. The rule is {clause}."},
    other_rule: {for: ["uphold"], words: "Another rule",
        answer: "A person has looked at your picture. It stays held back under {clause}: [why]."},
    suspected_illegal: {for: ["illegal"], words: "Suspected to be illegal",
        answer: "A person has looked at your picture. It stays held back, and it was passed on to those " +
            "who deal with such cases."},
};

/* ---- the form ---- */

const chosen = (name) => (document.querySelector("input[name=" + name + "]:checked") || {}).value || "";

function choice(name, value, words, key, extra) {
    return make("label", {class: "choice " + (extra || "")}, make("input", {type: "radio", name, value}), words,
        key ? make("kbd", {}, key) : null);
}

function fillForm() {
    const clause = byId("clause"), before = clause.value;

    clause.replaceChildren(...(desk.item.clauses || []).map((c) => make("option", {value: c.id}, c.id)));
    if ([...clause.options].some((option) => option.value === before))
        clause.value = before;
    const audit = desk.item.kind === "audit";
    byId("answer-label").textContent = audit ? "Note for the record" : "Answer to the owner";
    byId("answer-hint").textContent = audit
        ? "Nobody outside reads it: the audit changes nothing that is right as it is."
        : "The owner reads this word for word. Say what you saw, and be kind.";
}

function emptyForm() {
    const draft = desk.drafts.get(desk.item.id);

    byId("decision").reset();
    byId("answer").value = draft || "";
    desk.touched = !!draft;
    trouble("");
    lock(false);
    pickOutcome();
}

function keepDraft() {
    if (desk.item && desk.touched && byId("answer").value)
        desk.drafts.set(desk.item.id, byId("answer").value);
}

function pickOutcome() {
    const outcome = chosen("outcome"), code = byId("code"), before = code.value;
    const fitting = Object.entries(CODES).filter(([, c]) => c.for.includes(outcome));

    code.replaceChildren(make("option", {value: ""}, outcome ? "Choose a reason" : "Choose an outcome first"),
        ...fitting.map(([id, c]) => make("option", {value: id}, c.words)));
    code.disabled = !outcome;
    code.value = fitting.length === 1 ? fitting[0][0] : fitting.some(([id]) => id === before) ? before : "";
    offer();
}

/* The template, unless something else was written. */
function offer(force) {
    const code = CODES[byId("code").value], answer = byId("answer");

    byId("template").hidden = !code;
    if (code && (force || !desk.touched)) {
        answer.value = code.answer.replaceAll("{clause}", byId("clause").value);
        desk.touched = false;
    }
    length();
}

function length() {
    const bytes = new TextEncoder().encode(byId("answer").value).length;

    byId("answer-count").textContent = bytes > 1500 ? 2000 - bytes + " left" : "";
}

function trouble(words, field) {
    const box = byId("form-trouble");

    box.hidden = !words;
    box.textContent = words;
    for (const id of ["code", "clause", "answer"])
        byId(id).removeAttribute("aria-invalid");
    if (!words)
        return;
    if (field && field.id)
        field.setAttribute("aria-invalid", "true");
    (field || box).focus();
}

/* What is missing, in words; or the ruling. */
function ruling() {
    const answer = byId("answer").value.trim(), first = (name) => document.querySelector("input[name=" + name + "]");
    const wrong = (words, field) => ({words, field});

    if (!chosen("outcome"))
        return wrong("Choose an outcome.", first("outcome"));
    if (!byId("code").value)
        return wrong("Choose why.", byId("code"));
    if (!byId("clause").value)
        return wrong("Choose the rule.", byId("clause"));
    if (!answer)
        return wrong("Write an answer: nobody is told no without a reason.", byId("answer"));
    if (/\[[^\]]*\]/.test(answer))
        return wrong("Replace what stands in brackets in your answer.", byId("answer"));
    if (new TextEncoder().encode(answer).length > 2000)
        return wrong("The answer is too long: 2000 bytes at most.", byId("answer"));
    if (!chosen("confidence"))
        return wrong("Say how sure you are.", first("confidence"));
    return {body: {outcome: chosen("outcome"), code: byId("code").value, clause: byId("clause").value, answer,
        confidence: Number(chosen("confidence")), version: desk.item.version}};
}

function lock(waits) {
    byId("form-fields").disabled = waits;
    byId("undo-bar").hidden = !waits;
}

/* It leaves in ten seconds, or earlier when the lease ends before. */
function decide() {
    if (!desk.item || desk.waiting)
        return;
    const ruled = ruling();

    if (ruled.words) {
        trouble(ruled.words, ruled.field);
        return;
    }
    trouble("");
    hide(false);
    desk.waiting = {body: ruled.body, at: Math.min(now() + UNDO_MS, Math.max(desk.until - 3000, now()))};
    lock(true);
    byId("undo").focus();
    say(OUTCOMES[ruled.body.outcome] + ": this is sent in ten seconds. Press U to undo.");
    tick();
}

function undo() {
    if (!desk.waiting || desk.waiting.sent)
        return;
    desk.waiting = null;
    lock(false);
    byId("decide").focus();
    say("Taken back. Nothing was sent.");
}

async function send() {
    const waiting = desk.waiting, item = desk.item;

    if (!waiting || waiting.sent)
        return;
    waiting.sent = true;
    byId("undo").disabled = byId("send-now").disabled = true;
    const answer = await call("decide", waiting.body);
    byId("undo").disabled = byId("send-now").disabled = false;
    desk.waiting = null;
    lock(false);
    if (desk.item !== item)
        return;
    if (answer.error) {
        await fail(answer);
        return;
    }
    desk.drafts.delete(item.id);
    desk.touched = false;
    drop();
    reveal(answer.data.item || answer.data, waiting.body);
    lookAtDay();
}

/* ---- afterwards: what the machine had thought, beside what was decided ---- */

const share = (value) => value === null || value === undefined ? DASH : Math.round(value * 100) + " %";

function reveal(item, body) {
    const scores = item.scores, into = byId("reveal"), rows = [];
    const row = (words, value) => rows.push(make("tr", {}, make("th", {scope: "row"}, words),
        make("td", {class: "number"}, value)));

    into.replaceChildren(make("p", {class: "agree"}, "You: ", make("b", {}, OUTCOMES[body.outcome]), "."));
    if (scores) {
        into.append(make("p", {class: "agree"}, "The automatic check: ", make("b", {}, spaced(scores.action)),
            scores.cause ? " (" + spaced(scores.cause) + ")." : "."));
        if (scores.expected)
            into.append(make("p", {class: "notice " + (scores.expected === body.outcome ? "good" : "warn")},
                "This one was known: " + (OUTCOMES[scores.expected] || scores.expected).toLowerCase() + ". " +
                (scores.expected === body.outcome ? "You agree." : "It is worth a second thought.")));
        if (scores.first_outcome)
            into.append(make("p", {}, "The first reviewer: " + (OUTCOMES[scores.first_outcome] || DASH) + "."));
        for (const category of scores.categories || [])
            row(spaced(category.id), share(category.p));
        for (const model of scores.models || [])
            for (const c of model.classes || [])
                row(model.id + ": " + c.id, share(c.p));
        if (rows.length)
            into.append(make("table", {}, make("caption", {class: "unseen"}, "What the check believed"),
                make("tbody", {}, ...rows)));
    }
    show("after");
    tell("", "");
    say("Sent: " + OUTCOMES[body.outcome] + ".");
}
