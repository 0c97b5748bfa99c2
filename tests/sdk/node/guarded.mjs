// Runs npm SDKs against guarded streams of the gateway at LLMGATEWAY_URL and prints what they saw, as
// one JSON object. What is expected stands in tests/sdk/test_node_guarded.py.

import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { streamText } from "ai";
import OpenAI from "openai";

const url = process.env.LLMGATEWAY_URL;
const apiKey = process.env.LLMGATEWAY_KEY;
const said = "Please write to ann@b.example.com about the pears";
const messages = [{ role: "user", content: said }];
const masks = [{ "default.pii": { categories: ["EMAIL_ADDRESS"], redact: true } }];
const denies = [{ "default.contains": { operator: "none", words: ["about"] }, deny: true }];

function head(hooks) {
  return { "x-portkey-config": JSON.stringify({ output_guardrails: hooks }) };
}

async function all(stream, take) {
  try {
    for await (const event of stream) take(event);
  } catch (error) {
    return error.message;
  }
  return null;
}

async function openai(hooks) {
  const client = new OpenAI({ baseURL: url, apiKey, maxRetries: 0 });
  const seen = { text: "", finishes: [], reports: 0 };
  const stream = await client.chat.completions.create(
    { model: "fake", messages, stream: true },
    { headers: head(hooks) },
  );
  const error = await all(stream, (chunk) => {
    if (chunk.hook_results) seen.reports += 1;
    for (const choice of chunk.choices) {
      seen.text += choice.delta.content ?? "";
      if (choice.finish_reason) seen.finishes.push(choice.finish_reason);
    }
  });
  return { ...seen, error };
}

async function anthropic(hooks) {
  const client = new Anthropic({ baseURL: url.replace(/\/v1$/, ""), apiKey, maxRetries: 0 });
  const seen = { text: "", finishes: [], reports: 0 };
  const stream = await client.messages.create(
    { model: "fake", max_tokens: 99, messages, stream: true },
    { headers: head(hooks) },
  );
  const error = await all(stream, (event) => {
    if (event.hook_results) seen.reports += 1;
    seen.text += event.delta?.text ?? "";
    if (event.delta?.stop_reason) seen.finishes.push(event.delta.stop_reason);
  });
  return { ...seen, error };
}

async function vercel(hooks, door) {
  const provider = createOpenAI({ baseURL: url, apiKey });
  const seen = { text: "", finishes: [], errors: 0 };
  const { fullStream } = streamText({
    model: provider[door]("fake"),
    messages,
    headers: head(hooks),
    maxRetries: 0,
    onError: () => {},
  });
  const error = await all(fullStream, (part) => {
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "finish") seen.finishes.push(part.finishReason);
    if (part.type === "error") seen.errors += 1;
  });
  return { ...seen, error };
}

const seen = {};
for (const [name, hooks] of Object.entries({ masked: masks, denied: denies })) {
  seen[name] = {
    openai: await openai(hooks),
    anthropic: await anthropic(hooks),
    chat: await vercel(hooks, "chat"),
    responses: await vercel(hooks, "responses"),
  };
}
console.log(JSON.stringify(seen));
