// Channels and messages of an AsyncAPI document, for reading.

const ACTIONS = { send: "The service sends", receive: "The service receives" };

export function showMessages(section, spec) {
  for (const [name, channel] of Object.entries(spec.channels)) {
    if (channel.address !== null) section.append(channelOf(spec, name, channel));
  }
  section.append(schemasOf(spec));
}

function schemasOf(spec) {
  const article = element("article", {}, element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(spec.components.schemas)) {
    article.append(element("details", {}, element("summary", {}, element("code", {}, name)), json(schema)));
  }
  return article;
}

function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

function channelOf(spec, name, channel) {
  const server = follow(spec, channel.servers[0]);
  const article = element("article", { id: `channel-${name}` });
  article.append(element("h2", {}, channel.title));
  article.append(element("p", { class: "address" }, element("code", {}, channel.address), ` ${server.protocol}`));
  if (channel.description) article.append(element("p", {}, channel.description));
  for (const operation of operationsOf(spec, name)) article.append(...operationOf(spec, operation));
  return article;
}

function operationsOf(spec, name) {
  return Object.values(spec.operations).filter((one) => one.channel.$ref === `#/channels/${name}`);
}

function operationOf(spec, operation) {
  const heading = element("h3", {}, `${ACTIONS[operation.action]}: ${operation.summary}`);
  const messages = operation.messages.map((one) => messageOf(spec, one));
  const replies = operation.reply?.messages.map((one) => messageOf(spec, one)) ?? [];
  const reply = replies.length ? [element("h4", {}, "Reply"), ...replies] : [];
  return [heading, ...messages, ...reply];
}

function messageOf(spec, reference) {
  const message = follow(spec, reference);
  const summary = element("summary", {}, element("code", {}, message.name), ` ${message.title}`);
  const details = element("details", {}, summary);
  for (const part of ["headers", "payload"]) {
    if (message[part] === undefined) continue;
    details.append(element("h5", {}, part));
    details.append(json(follow(spec, message[part])));
  }
  return details;
}

function follow(spec, value) {
  while (value.$ref !== undefined) {
    value = value.$ref.slice(2).split("/").reduce((found, step) => found[unescaped(step)], spec);
  }
  return value;
}

function unescaped(step) {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
