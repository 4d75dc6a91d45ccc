#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the unmodified openai package sees of limner: pictures, models, and errors as its own types.

    tests/http/openai_client.py [LIMNER]     LIMNER is build/release/limner without it

Runs a server with a tiny model. Without the package (also not in .venv/oracle, or in the Python that
LIMNER_ORACLE_PYTHON names) it ends with 77: skipped.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAGIC = {"png": b"\x89PNG", "webp": b"RIFF", "jpeg": b"\xff\xd8\xff"}
PROMPT = "a red fox"


def python_with_openai():
    """Another Python that may have the package; None when there is none left to try."""
    if os.environ.get("LIMNER_OPENAI_TRIED"):
        return None
    for path in (os.environ.get("LIMNER_ORACLE_PYTHON"), os.path.join(ROOT, ".venv/oracle/bin/python")):
        if path and os.access(path, os.X_OK):
            return path
    return None


try:
    import openai
except ImportError:
    other = python_with_openai()
    if other:
        os.environ["LIMNER_OPENAI_TRIED"] = "1"
        os.execv(other, [other] + sys.argv)
    print("skipped: no openai package")
    sys.exit(77)


RULES = {"schema": "prompt-rules/1", "version": "t", "categories": [
    {"id": "forbidden_words", "rules": [{"id": "a", "words": ["snorkwort"]}]}]}
POLICY = {"schema": "moderation-policy/1", "policy_id": "test", "version": 3, "status": "live",
          "change_reason": "a test", "languages": ["en"],
          "classifiers": [{"id": "nsfwjs_mid", "role": "main",
                           "preprocess": "bilinear_align_corners_224"}],
          "ignore": ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"],
          "categories": [{"id": "forbidden_words", "from": {"op": "prompt"}, "clause": "Rule 8",
                          "dsa_category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
                          "reason": {"en": "These words."}, "appealable": True, "prompt": "block"}],
          "prompt_stage": {"rules": "rules.json", "action": "block"}}


def write_policy(folder):
    for name, content in (("rules.json", RULES), ("policy.json", POLICY)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(content, out)


def serve(limner, output):
    """The process and its URL, once it is ready."""
    folder = os.path.dirname(output.name)
    write_policy(folder)
    command = [limner, "serve", "--model", "tests/golden/tiny_lcm", "--listen", "127.0.0.1:0",
               "--metrics", "127.0.0.1:0", "--queue", "10", "--threads", "1",
               "--policy", os.path.join(folder, "policy.json"), "--state", folder]
    process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output,
                               env={"LIMNER_MARKS": "off",
                                    "LSAN_OPTIONS": "suppressions=tests/lsan.supp:print_suppressions=0",
                                    **os.environ})
    for _ in range(600):
        with open(output.name, encoding="utf-8") as said:
            text = said.read()
        if '"event":"ready"' in text:
            return process, "http://127.0.0.1:" + re.search(r"api=(\d+)", text).group(1) + "/v1"
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the server did not get ready: " + text)


def bytes_of(item):
    return base64.b64decode(item.b64_json, validate=True)


def refused(kind, words, call, **fields):
    """The call must raise `kind`, with these words in what the server says."""
    try:
        call(**fields)
    except openai.APIStatusError as error:
        assert type(error) is kind, (type(error), kind, fields)
        assert words in error.message, (words, error.message)
        assert error.request_id, fields
        assert error.response.headers["x-should-retry"] == "false", fields
        return error
    raise AssertionError(f"{fields} was taken")


def check_pictures(client):
    one = client.images.generate(prompt=PROMPT, extra_body={"seed": 41})
    three = client.images.generate(prompt=PROMPT, n=3, size="32x32", extra_body={"seed": 40})
    assert abs(one.created - time.time()) < 600
    assert one.size == "32x32" and one.output_format == "png" and one.background == "opaque"
    assert [item.seed for item in three.data] == [40, 41, 42]
    assert bytes_of(one.data[0]) == bytes_of(three.data[1])
    assert len({item.b64_json for item in three.data}) == 3
    for name, magic in MAGIC.items():
        answer = client.images.generate(
            prompt=PROMPT, model="tiny_lcm", output_format=name, size="auto", quality="high",
            background="opaque", moderation="low", user="somebody", response_format="b64_json",
            extra_body={"num_inference_steps": 2, "guidance_scale": 1.5, "negative_prompt": "snow",
                        "sampler": "euler"})
        assert bytes_of(answer.data[0]).startswith(magic), name


def check_streams(client):
    whole = client.images.generate(prompt=PROMPT, extra_body={"seed": 41})
    events = list(client.images.generate(prompt=PROMPT, stream=True, partial_images=2,
                                         extra_body={"seed": 41}))
    *partial, last = events
    assert [event.type for event in partial] == ["image_generation.partial_image"] * len(partial)
    assert 1 <= len(partial) <= 2
    indexes = [event.partial_image_index for event in partial]
    assert indexes == sorted(set(indexes)) and set(indexes) <= {0, 1}
    assert last.type == "image_generation.completed"
    assert last.size == "32x32" and last.output_format == "png" and last.background == "opaque"
    assert bytes_of(last) == bytes_of(whole.data[0])
    assert all(bytes_of(event).startswith(MAGIC["png"]) for event in partial)


def check_headers(client):
    raw = client.images.with_raw_response.generate(prompt=PROMPT)
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert "denoise;dur=" in raw.headers["server-timing"]
    assert raw.request_id == raw.headers["x-request-id"]
    bare = client.post("/images/generations", body={"prompt": PROMPT, "seed": 5},
                       options={"headers": {"Accept": "image/webp"}},
                       cast_to=openai._legacy_response.HttpxBinaryResponseContent)
    assert bare.content.startswith(MAGIC["webp"])
    assert bare.response.headers["x-limner-seed"] == "5"


def check_models(client):
    models = client.models.list().data
    assert [model.id for model in models] == ["tiny_lcm"]
    assert client.models.retrieve("tiny_lcm").owned_by == "limner"
    refused(openai.NotFoundError, "no model", client.models.retrieve, model="a/b")


def check_errors(client):
    generate = client.images.generate
    error = refused(openai.BadRequestError, "divisible by 8", generate, prompt=PROMPT, size="20x20")
    assert error.param == "size" and error.type == "invalid_request_error"
    refused(openai.BadRequestError, "1 to 32000", generate, prompt="")
    refused(openai.BadRequestError, "1 to 10", generate, prompt=PROMPT, n=11)
    refused(openai.BadRequestError, "b64_json", generate, prompt=PROMPT, response_format="url")
    refused(openai.BadRequestError, "needs stream", generate, prompt=PROMPT, partial_images=2)
    error = refused(openai.NotFoundError, "GET /v1/models", generate, prompt=PROMPT, model="dall-e-3")
    assert error.code == "model_not_found"
    refused(openai.NotFoundError, "nothing at this path", client.images.edit,
            image=MAGIC["png"], prompt=PROMPT)


def check_moderation(client):
    error = refused(openai.BadRequestError, "The request was not carried out", client.images.generate,
                    prompt="a snorkwort in the sun", user="customer-81")
    assert error.code == "moderation_blocked" and error.type == "image_generation_user_error"
    told = error.body["moderation"]
    assert told["stage"] == "prompt" and told["action"] == "block" and not told["retryable"]
    assert told["category"]["id"] == "forbidden_words" and told["policy"]["version"] == 3
    assert told["appeal"]["allowed"] and told["appeal"]["url"].startswith("/appeal/dec_")
    fine = client.images.generate(prompt=PROMPT)
    assert fine.data[0].limner["moderation"]["action"] == "allow"


def main():
    limner = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release/limner"))
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "log"), "wb") as output:
        process, url = serve(limner, output)
        try:
            client = openai.OpenAI(base_url=url, api_key="unused", timeout=60)
            check_pictures(client)
            check_streams(client)
            check_headers(client)
            check_models(client)
            check_errors(client)
            check_moderation(client)
        finally:
            process.terminate()
            code = process.wait(timeout=60)
        assert code == 0, f"limner ended with {code}"
    print(f"openai {openai.__version__}: all as expected")


if __name__ == "__main__":
    main()
