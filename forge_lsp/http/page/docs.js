"use strict";
// Renders openapi.json, and sends the requests that a reader tries. Every text goes in as text,
// never as markup: answers hold what models and pages wrote.

const MOST_SHOWN = 400_000; // characters of an answer

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Text in which `code` stands between backticks.
function prose(text) {
  return String(text || "").split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

function table(heads, rows) {
  return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": heads.join(", ") },
    make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, ...[cell].flat())))))));
}

function nameOf(schema) {
  return schema.$ref ? schema.$ref.split("/").pop() : "";
}

function typeOf(schema) {
  if (!schema) return ["anything"];
  if (schema.$ref) return [make("a", { href: `#schema-${nameOf(schema)}` }, nameOf(schema))];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" | ")];
  if ("const" in schema) return [JSON.stringify(schema.const)];
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.flatMap((each, at) => (at ? [" or ", ...typeOf(each)] : typeOf(each)));
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return ["object of ", ...typeOf(schema.additionalProperties)];
  }
  return [schema.format ? `${schema.type} (${schema.format})` : schema.type || "anything"];
}

function limitsOf(schema) {
  const said = [];
  for (const part of [schema, ...(schema.anyOf || [])]) {
    if (part.minLength > 1) said.push(`at least ${part.minLength} characters`);
    if (part.maxLength) said.push(`at most ${part.maxLength} characters`);
    if (part.minItems) said.push(`at least ${part.minItems}`);
    if (part.maxItems) said.push(`at most ${part.maxItems}`);
  }
  return said.length ? ` (${said.join(", ")})` : "";
}

function fields(schema) {
  const required = new Set(schema.required || []);
  return table(["Field", "Type", "Meaning"], Object.entries(schema.properties || {}).map(([name, field]) => [
    [make("code", {}, name), required.has(name) ? " required" : ""],
    typeOf(field),
    prose(`${field.description || ""}${limitsOf(field)}`),
  ]));
}

function shape(name, schema) {
  const section = make("section", { class: "operation", id: `schema-${name}`, "aria-labelledby": `title-${name}` },
    make("h3", { id: `title-${name}` }, name),
    make("p", {}, ...prose(schema.description)));
  if (schema.properties) section.append(fields(schema));
  else section.append(make("p", {}, ...typeOf(schema)));
  return section;
}

function contentOf(answer) {
  const [type, content] = Object.entries(answer.content || {})[0] || ["", {}];
  return { type, content };
}

// The schema of what an event's `data` holds, where the answer is a stream of events.
function eventSchema(content) {
  const data = content.schema && content.schema.properties && content.schema.properties.data;
  return data && data.contentSchema;
}

function answers(operation) {
  return table(["Status", "When", "Shape"], Object.entries(operation.responses).map(([status, answer]) => {
    const { type, content } = contentOf(answer);
    const events = eventSchema(content);
    const described = events ? ["events: ", ...typeOf(events)]
      : content.schema && content.schema.$ref ? typeOf(content.schema) : [type];
    return [make("code", {}, status), prose(answer.description), described];
  }));
}

function eventsOf(operation) {
  const { content } = contentOf(operation.responses["200"] || {});
  if (!content.examples) return null;
  const rows = Object.entries(content.examples).map(([name, example]) => [
    make("a", { href: `#schema-${name}` }, name),
    prose(example.summary),
    make("code", {}, example.value.data ? `data: ${example.value.data}` : JSON.stringify(example.value)),
  ]);
  return make("div", {}, make("h4", {}, "Events"), table(["Event", "Meaning", "Example"], rows));
}

function parameters(operation) {
  if (!operation.parameters.length) return null;
  const rows = operation.parameters.map((each) => [
    [make("code", {}, each.name), each.required ? " required" : ""], each.in, prose(each.description),
  ]);
  return make("div", {}, make("h4", {}, "Parameters"), table(["Name", "In", "Meaning"], rows));
}

function bodyOf(operation, schemas) {
  if (!operation.requestBody) return null;
  const schema = operation.requestBody.content["application/json"].schema;
  const optional = operation.requestBody.required ? "" : " (may be left out)";
  return make("div", {}, make("h4", {}, `Body${optional}`), fields(schemas[nameOf(schema)]));
}

function rightsOf(operation) {
  const scopes = (operation.security || []).flatMap((each) => each.token || []);
  if (!scopes.length) return make("p", { class: "note" }, "Needs no token.");
  return make("p", { class: "note" }, "Needs a token with the scope ",
    ...scopes.flatMap((scope, at) => (at ? [" or ", make("code", {}, scope)] : [make("code", {}, scope)])), ".");
}

function field(id, label, control) {
  control.id = id;
  return make("div", {}, make("label", { for: id }, label), " ", control);
}

function trying(method, path, operation) {
  const id = operation.operationId;
  const inputs = operation.parameters.map((each) => ({
    ...each, control: make("input", { type: "text", required: each.required, autocomplete: "off", spellcheck: "false" }),
  }));
  const json = operation.requestBody && operation.requestBody.content["application/json"];
  const body = json && make("textarea", { spellcheck: "false" });
  if (body) body.value = json.example ? JSON.stringify(json.example, null, 2) : "";
  const send = make("button", { type: "submit" }, "Send");
  const stop = make("button", { type: "button", class: "quiet", disabled: true }, "Stop");
  const result = make("div", { class: "result", "aria-live": "polite" });
  const form = make("form", {},
    ...inputs.map((each) => field(`${id}-${each.name}`, `${each.name} (${each.in})`, each.control)),
    body ? field(`${id}-body`, "Body", body) : null,
    make("div", { class: "buttons" }, send, stop), result);
  let controller = null;
  stop.addEventListener("click", () => controller && controller.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    controller = new AbortController();
    send.disabled = true;
    stop.disabled = false;
    try {
      await exchange(request(method, path, inputs, body), result, controller.signal);
    } finally {
      send.disabled = false;
      stop.disabled = true;
    }
  });
  return make("details", { class: "try" }, make("summary", {}, "Try it"), form);
}

function request(method, path, inputs, body) {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { name, in: place, control } of inputs) {
    if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(control.value));
    else if (control.value && place === "query") query.set(name, control.value);
    else if (control.value && place === "header") headers[name] = control.value;
  }
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const text = body ? body.value.trim() : "";
  if (text) headers["Content-Type"] = "application/json";
  const asked = query.toString();
  return { url: asked ? `${url}?${asked}` : url, method, headers, body: text || undefined };
}

async function exchange(asked, result, signal) {
  const began = performance.now();
  const status = make("p", {}, "Sending…");
  const shown = make("pre", { class: "wrap", tabindex: "0", "aria-label": "The answer" });
  result.replaceChildren(status);
  try {
    const { url, ...options } = asked;
    const answer = await fetch(url, { ...options, signal, cache: "no-store" });
    const head = `${answer.status} ${answer.statusText}`;
    status.replaceChildren(make("span", { class: answer.ok ? "status" : "status bad" }, head));
    const named = ["X-Run-Id", "X-Request-Id", "Retry-After"].filter((name) => answer.headers.get(name));
    const told = named.map((name) => `${name}: ${answer.headers.get(name)}`).join(" · ");
    result.append(make("p", { class: "note" }, told), shown);
    await show(answer, shown);
    status.append(` after ${Math.round(performance.now() - began)} ms`);
  } catch (error) {
    status.append(make("span", { class: "status bad" },
      error.name === "AbortError" ? " Stopped." : ` The request failed: ${error.message}`));
  }
}

async function show(answer, shown) {
  if (!answer.body) return;
  const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (text.length < MOST_SHOWN) {
      text += value;
      shown.textContent = text;
      shown.scrollTop = shown.scrollHeight;
    }
  }
  if (text.length >= MOST_SHOWN) shown.textContent += "\n(the rest is not shown)";
  else if (isJson) shown.textContent = JSON.stringify(JSON.parse(text), null, 2);
}

function entry(method, path, operation, schemas) {
  const id = `title-${operation.operationId}`;
  return make("section", { class: "operation", id: operation.operationId, "aria-labelledby": id },
    make("h3", { id },
      make("span", { class: `method ${method}` }, method), make("span", { class: "path" }, path),
      make("span", { class: "what" }, operation.summary)),
    make("p", {}, ...prose(operation.description)),
    rightsOf(operation), parameters(operation), bodyOf(operation, schemas), eventsOf(operation),
    make("details", {}, make("summary", {}, "Answers"), answers(operation)),
    trying(method, path, operation));
}

function render(description) {
  const contents = document.getElementById("contents");
  const reference = document.getElementById("reference");
  const schemas = description.components.schemas;
  document.getElementById("version").textContent = description.info.version;
  document.getElementById("summary").textContent = description.info.summary;
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  reference.replaceChildren();
  for (const tag of description.tags) {
    const chosen = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    reference.append(make("h2", {}, tag.name), make("p", {}, ...prose(tag.description)),
      ...chosen.map(({ method, path, operation }) => entry(method, path, operation, schemas)));
    contents.append(make("li", {}, make("strong", {}, tag.name), make("ul", {},
      ...chosen.map(({ method, path, operation }) => make("li", {}, make("a", { href: `#${operation.operationId}` },
        make("span", { class: `method ${method}` }, method), operation.summary))))));
  }
  document.getElementById("schemas").append(
    ...Object.entries(schemas).map(([name, schema]) => shape(name, schema)));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
fetch("openapi.json")
  .then((answer) => answer.json())
  .then(render)
  .catch((error) => {
    document.getElementById("reference").replaceChildren(
      make("p", { class: "bad" }, `The description could not be loaded: ${error.message}`));
  });
