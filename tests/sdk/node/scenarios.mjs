// Runs the npm SDK against the gateway at LLMGATEWAY_URL and prints what it saw, as one JSON object.
// What is expected stands in tests/sdk/test_node.py; here nothing is judged.

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.LLMGATEWAY_URL,
  apiKey: process.env.LLMGATEWAY_KEY,
  maxRetries: 0,
});
const messages = [{ role: "user", content: "Hello you" }];
const weather = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

async function chat() {
  const { data, response } = await client.chat.completions
    .create({ model: "fake", messages })
    .withResponse();
  return {
    text: data.choices[0].message.content,
    total: data.usage.total_tokens,
    provider: response.headers.get("x-llmgateway-provider"),
    requestId: data._request_id,
  };
}

async function stream() {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({
    model: "fake-tokens-5",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })) {
    chunks.push(chunk);
  }
  return {
    text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
    total: chunks.at(-1).usage.total_tokens,
  };
}

async function tools() {
  const answer = client.chat.completions.stream({ model: "fake", messages, tools: [weather] });
  const call = (await answer.finalMessage()).tool_calls[0];
  const told = await client.chat.completions.create({
    model: "fake",
    tools: [weather],
    messages: [
      ...messages,
      { role: "assistant", tool_calls: [call] },
      { role: "tool", tool_call_id: call.id, content: "rain" },
    ],
  });
  return {
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    text: told.choices[0].message.content,
  };
}

async function embeddings() {
  const ask = { model: "fake", input: ["a", "b"] };
  const packed = await client.embeddings.create(ask);
  const plain = await client.embeddings.create({ ...ask, encoding_format: "float" });
  const vectors = [packed, plain].map((answer) => answer.data.map((item) => item.embedding));
  return { lengths: vectors[0].map((v) => v.length), same: String(vectors[0]) === String(vectors[1]) };
}

async function responses() {
  const types = [];
  let text = "";
  for await (const event of await client.responses.create({
    model: "fake",
    input: "Hello you",
    stream: true,
  })) {
    types.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  return { text, last: types.at(-1) };
}

async function files() {
  const file = await client.files.create({
    file: await OpenAI.toFile(Buffer.from("line\r\n"), "a.jsonl"),
    purpose: "batch",
  });
  const content = await (await client.files.content(file.id)).text();
  return { content, deleted: (await client.files.delete(file.id)).deleted };
}

async function failure(ask) {
  try {
    await ask();
  } catch (error) {
    return {
      name: error.constructor.name,
      status: error.status ?? null,
      code: error.code ?? null,
      message: error.message,
      isAPIError: error instanceof OpenAI.APIError,
    };
  }
  return null;
}

async function errors() {
  const seen = {};
  for (const status of [400, 404, 409, 422, 429, 500, 503]) {
    seen[status] = await failure(() =>
      client.chat.completions.create({ model: `fake-${status}`, messages }),
    );
  }
  const stranger = client.withOptions({ apiKey: "sk-wrong" });
  seen[401] = await failure(() => stranger.models.list());
  return seen;
}

async function brokenStream() {
  let text = "";
  const error = await failure(async () => {
    for await (const chunk of await client.chat.completions.create({
      model: "fake-cut-tokens-9",
      messages,
      stream: true,
    })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
  });
  return { text, error };
}

async function retries() {
  const config = { provider: "openai", retry: { attempts: 1 } };
  const eager = client.withOptions({
    maxRetries: 2,
    defaultHeaders: { "x-llmgateway-config": JSON.stringify(config) },
  });
  return failure(() => eager.chat.completions.create({ model: "fake-503", messages }));
}

const scenarios = {
  chat, stream, tools, embeddings, responses, files, errors, brokenStream, retries,
};
const seen = {};
for (const [name, run] of Object.entries(scenarios)) seen[name] = await run();
console.log(JSON.stringify(seen));
