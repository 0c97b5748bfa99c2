// Runs @anthropic-ai/sdk and Vercel's `ai` against the gateway at LLMGATEWAY_URL, in front of the
// fake provider and of recorded ones, and prints what they saw, as one JSON object.
// What is expected stands in tests/sdk/test_node_doors.py; here nothing is judged.

import Anthropic from "@anthropic-ai/sdk";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const url = process.env.LLMGATEWAY_URL;
const apiKey = process.env.LLMGATEWAY_KEY;
const anthropic = new Anthropic({ baseURL: url.replace(/\/v1$/, ""), apiKey, maxRetries: 0 });
const openai = createOpenAI({ baseURL: url, apiKey });
const messages = [{ role: "user", content: "Hello you" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const weather = { name: "weather", description: "Tells the weather", input_schema: parameters };
const fake = { model: "@openai/fake", max_tokens: 64 };
const CHAT_ONLY = "@cerebras/fake";
const CLAUDE = "@anthropic/claude-opus-4-6";

async function message() {
  const answer = await anthropic.messages.create({ ...fake, messages });
  return {
    text: answer.content[0].text,
    stop: answer.stop_reason,
    output: answer.usage.output_tokens,
    hasRequestId: Boolean(answer._request_id),
  };
}

async function stream() {
  const texts = [];
  const answer = anthropic.messages.stream({ ...fake, messages }).on("text", (t) => texts.push(t));
  return { texts, final: await answer.finalText() };
}

async function tools() {
  const ask = { ...fake, tools: [weather] };
  const asked = await anthropic.messages.stream({ ...ask, messages }).finalMessage();
  const call = asked.content.at(-1);
  const result = { type: "tool_result", tool_use_id: call.id, content: "rain" };
  const told = await anthropic.messages.create({
    ...ask,
    messages: [
      ...messages,
      { role: "assistant", content: asked.content },
      { role: "user", content: [result] },
    ],
  });
  return { name: call.name, input: call.input, text: told.content[0].text };
}

async function count() {
  const counted = await anthropic.messages.countTokens({ model: fake.model, messages });
  return counted.input_tokens;
}

async function failure(ask) {
  try {
    await ask();
  } catch (error) {
    return {
      name: error.constructor.name,
      status: error.status ?? error.statusCode ?? null,
      message: error.message,
    };
  }
  return null;
}

async function errors() {
  const seen = {};
  for (const status of [400, 404, 429, 500, 529]) {
    const model = `@openai/fake-${status}`;
    seen[status] = await failure(() => anthropic.messages.create({ ...fake, model, messages }));
  }
  const stranger = anthropic.withOptions({ apiKey: "sk-wrong" });
  seen[401] = await failure(() => stranger.messages.create({ ...fake, messages }));
  seen.stream = await failure(() =>
    anthropic.messages.stream({ ...fake, model: "@openai/fake-stream-error", messages }).done(),
  );
  return seen;
}

async function generated(model) {
  const { text, usage, finishReason } = await generateText({
    model: openai(model),
    prompt: "Hello you",
    maxRetries: 0,
  });
  return { text, finishReason, input: usage.inputTokens, output: usage.outputTokens };
}

async function streamed(model) {
  const failures = [];
  const answer = streamText({
    model: openai(model),
    prompt: "Hello you",
    maxRetries: 0,
    onError: ({ error }) => failures.push(String(error.message ?? error)),
  });
  let text = "";
  const error = await failure(async () => {
    for await (const piece of answer.textStream) text += piece;
  });
  if (error || failures.length) return { text, error, failures };
  return { text, finishReason: await answer.finishReason, usage: (await answer.usage).outputTokens };
}

async function agent() {
  const { text, steps } = await generateText({
    model: openai(CHAT_ONLY),
    prompt: "Oslo",
    maxRetries: 0,
    stopWhen: stepCountIs(3),
    tools: {
      weather: tool({
        description: "Tells the weather",
        inputSchema: jsonSchema(parameters),
        execute: async ({ city }) => `rain in ${city}`,
      }),
    },
  });
  return { text, steps: steps.length, input: steps[0].toolCalls[0].input };
}

async function structured() {
  const schema = jsonSchema({
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  });
  const { output } = await generateText({
    model: openai(CHAT_ONLY),
    prompt: "Oslo",
    maxRetries: 0,
    output: Output.object({ schema }),
  });
  return output;
}

// In this order the recordings are played.
const scenarios = {
  message,
  stream,
  tools,
  count,
  errors,
  generated: () => generated(CHAT_ONLY),
  streamed: () => streamed(CHAT_ONLY),
  brokenStream: () => streamed("@cerebras/fake-stream-error"),
  agent,
  structured,
  refused: () => failure(() => generated("@cerebras/fake-429")),
  generatedByAnthropic: () => generated(CLAUDE),
  streamedByAnthropic: () => streamed(CLAUDE),
};
const seen = {};
for (const [name, run] of Object.entries(scenarios)) seen[name] = await run();
console.log(JSON.stringify(seen));
